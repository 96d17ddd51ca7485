#!/usr/bin/env python3
"""The router where more is asked of its shards than they can do, beside an older one.

  bench/overload/overload.py OLDER [--build build/release] [--pairs 5] [--seconds 8] [--only TEXT] [--write]

OLDER is a directory with a `moray-router` in it. Runs of the older and the newer program take turns.

Overload: what the shards can do is found by a closed loop (the best of some); then requests are due, open loop, at three times
that. Goodput counts answers; an OverloadedError is none. Times count from when a request was due.

Polite: a client that asks one thing at a time, each five milliseconds, alone and then beside a greedy one of 64 connections with
256 requests each.

Printed are medians of the pairs and, in brackets, the lowest and the highest. --write puts the tables into bench/RESULTS.md.
"""
import argparse
import contextlib
import dataclasses
import datetime
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parents[1] / "proxy")]
import paired
import systems
from page import write_between

PAGE = systems.ROOT / "bench" / "RESULTS.md"
BEGIN, END = "<!-- overload: begin -->", "<!-- overload: end -->"
SETTLES = 4  # seconds of load before anything counts: an overload that has just begun is carried as a burst


@dataclasses.dataclass
class Shards:
    name: str
    count: int
    servers: int       # of each; 0: as quick as its processor
    service_us: float


SHARDS = [
    Shards("2 shards, 8 at a time, 1 ms each", 2, 8, 1000),
    Shards("4 shards, 4 at a time, 4 ms each", 4, 4, 4000),
    Shards("2 shards, as quick as the machine", 2, 0, 0),  # the worker is what is short: no goal for an open loop
]


def load(build, port, seconds, settles=SETTLES, **options):
    words = [build / "bench/bench_load", "--port", str(port), "--seconds", str(seconds), "--warm-up", str(settles), "--may-be-refused"]
    for name, value in options.items():
        words += ["--" + name.replace("_", "-"), str(value)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def result(process):
    text, _ = process.communicate(timeout=300)
    figures = json.loads(text)
    if figures["failed"]:
        raise RuntimeError(f"{figures['failed']} requests failed")
    return figures


@contextlib.contextmanager
def running(program, build, shards, directory, log):
    process = subprocess.Popen([build / "bench/bench_shard", "--ports", str(shards.count), "--servers", str(shards.servers),
                                "--service-us", str(shards.service_us)], stdout=subprocess.PIPE, text=True)
    ports = [int(port) for port in process.stdout.readline().split()]
    router = systems.router(program)(directory, ports, log)
    try:
        yield router.port
    finally:
        router.stop()
        process.kill()
        process.wait()


def best(program, build, shards, seconds, directory, log):
    rates = []
    for connections, outstanding in ((16, 2), (16, 4), (16, 8), (64, 4)):
        with running(program, build, shards, directory, log) as port:
            rates.append(result(load(build, port, seconds / 3, 1, connections=connections, outstanding=outstanding))["rate"])
    return max(rates)


def overload(program, build, shards, rate, seconds, directory, log):
    with running(program, build, shards, directory, log) as port:
        figures = result(load(build, port, seconds, connections=64, rate=rate))
    return {"goodput": figures["rate"], "p50": figures["latency"]["p50"] / 1e3, "p99": figures["latency"]["p99"] / 1e3,
            "refused": figures["refused"] / seconds}


def polite(program, build, shards, seconds, directory, log):
    with running(program, build, shards, directory, log) as port:
        alone = result(load(build, port, seconds / 2, 1, connections=1, rate=200))["latency"]
        greedy = load(build, port, seconds + 1, connections=64, outstanding=256)
        time.sleep(SETTLES)
        beside = result(load(build, port, seconds, 0, connections=1, rate=200))
        much = result(greedy)
    answered = beside["requests"] > 0
    return {"alone50": alone["p50"] / 1e3, "alone99": alone["p99"] / 1e3, "beside50": beside["latency"]["p50"] / 1e3 if answered else None,
            "beside99": beside["latency"]["p99"] / 1e3 if answered else None, "refused": beside["refused"] / max(1, beside["requests"] + beside["refused"]) * 100,
            "times": beside["latency"]["p99"] / alone["p99"] if answered else None, "greedy": much["rate"]}


def shown(values, form):
    if None in values:
        return "none was answered" if not any(value is not None for value in values) else "none was answered in some runs"
    return f"{form.format(statistics.median(values))} ({form.format(min(values))}–{form.format(max(values))})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("older", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=systems.ROOT / "build/release")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--write", action="store_true", help="into bench/RESULTS.md")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    programs = {"older": arguments.older.resolve(), "newer": build}
    lines = [f"Command: `bench/overload/overload.py OLDER --pairs {arguments.pairs} --seconds {arguments.seconds:g}`; "
             f"{paired.commit_of(systems.ROOT)} beside {paired.commit_of(arguments.older)}; "
             f"{datetime.date.today().strftime('%-d %B %Y')}. Milliseconds; medians (lowest–highest).", ""]

    def say(line):
        lines.append(line)
        print(line, flush=True)

    with tempfile.TemporaryDirectory(prefix="moray-router-bench-") as name, open(pathlib.Path(name) / "log", "w", encoding="utf-8") as log:
        directory = pathlib.Path(name)
        say("| three times the load, 64 connections | program | best, a second | goodput / best | p50 | p99 of those answered | refused a second |")
        say("|---|---|---|---|---|---|---|")
        for shards in SHARDS:
            if arguments.only not in shards.name:
                continue
            can = best(programs["newer"], build, shards, arguments.seconds, directory, log)
            rounds = {program: [] for program in programs}
            for _ in range(arguments.pairs):
                for program, where in programs.items():
                    rounds[program].append(overload(where, build, shards, 3 * can, arguments.seconds, directory, log))
            for program, runs in rounds.items():
                say(f"| {shards.name} | {program} | {can:,.0f} | {shown([one['goodput'] / can for one in runs], '{:.3f}')} | "
                    f"{shown([one['p50'] for one in runs], '{:.1f}')} | {shown([one['p99'] for one in runs], '{:.1f}')} | "
                    f"{shown([one['refused'] for one in runs], '{:,.0f}')} |")
        say("")
        say("| a polite client, 200 a second | program | alone: p50, p99 | beside a greedy one of 64×256: p50 | p99 | p99 beside / alone | refused, % | the greedy one's, a second |")
        say("|---|---|---|---|---|---|---|---|")
        for shards in SHARDS:
            if arguments.only not in shards.name:
                continue
            rounds = {program: [] for program in programs}
            for _ in range(arguments.pairs):
                for program, where in programs.items():
                    rounds[program].append(polite(where, build, shards, arguments.seconds, directory, log))
            for program, runs in rounds.items():
                column = lambda key: [one[key] for one in runs]
                say(f"| {shards.name} | {program} | {shown(column('alone50'), '{:.2f}')}, {shown(column('alone99'), '{:.2f}')} | "
                    f"{shown(column('beside50'), '{:.2f}')} | {shown(column('beside99'), '{:.2f}')} | {shown(column('times'), '{:.2f}')} | "
                    f"{shown(column('refused'), '{:.2f}')} | {shown(column('greedy'), '{:,.0f}')} |")
    if arguments.write:
        write_between(PAGE, BEGIN, END, lines)


if __name__ == "__main__":
    main()
