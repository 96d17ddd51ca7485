#!/usr/bin/env python3
"""A PostgreSQL shard through the router beside an older one, in interleaved rounds.

  bench/postgres_paired.py OLDER [--build build/release] [--rounds 9] [--seconds 2] [--write]

OLDER is a `moray-router`. For gets and puts it prints the median of the rounds' ratios (newer by older;
of processor time and of the time that a request takes) and the interval between the second lowest and the
second highest, which for nine rounds has the true median in it 96 times of 100. --write puts the table into
bench/RESULTS.md.
"""
import argparse
import datetime
import os
import pathlib
import re
import statistics
import subprocess

from page import write_between

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "bench" / "RESULTS.md"
BEGIN, END = "<!-- paired postgres: begin -->", "<!-- paired postgres: end -->"
WORDS = re.compile(r"router ([\d.]+)/s, ratio [\d.]+, processor time ([\d.]+) us, .* failed (\d+)")


def run(build, program, kind, seconds):
    """Microseconds of the router's processor and of the clock for a request."""
    done = subprocess.run([build / "bench/bench_postgres", "1", str(seconds), "4", kind], stdout=subprocess.PIPE, text=True, check=True,
                          env={**os.environ, "MORAY_ROUTER_BIN": str(program)})
    rate, processor, failed = WORDS.search(done.stdout.splitlines()[-1]).groups()
    if failed != "0":
        raise RuntimeError(f"{program}: {failed} requests failed")
    return {"processor": float(processor), "time": 1e6 / float(rate)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("older", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--write", action="store_true", help="into bench/RESULTS.md")
    arguments = parser.parse_args()
    programs = {"older": arguments.older.resolve(), "newer": (arguments.build / "moray-router").resolve()}
    rows = []
    for kind in ("get", "put"):
        rounds = []
        for number in range(arguments.rounds):
            names = list(programs) if number % 2 == 0 else list(reversed(programs))
            rounds.append({name: run(arguments.build, programs[name], kind, arguments.seconds) for name in names})
        for figure, words in (("processor", "router's processor, µs"), ("time", "time, µs")):
            ratios = sorted(one["newer"][figure] / one["older"][figure] for one in rounds)
            older, newer = (statistics.median(one[name][figure] for one in rounds) for name in programs)
            rows.append(f"| {kind}: {words} | {older:.1f} | {newer:.1f} | **{statistics.median(ratios):.3f}** | {ratios[1]:.3f} to {ratios[-2]:.3f} |")
            print(rows[-1], flush=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    lines = [f"Command: `bench/postgres_paired.py OLDER --rounds {arguments.rounds} --seconds {arguments.seconds:g}`; commit {commit}; "
             f"{datetime.date.today().strftime('%-d %B %Y')}.", "", "| | older | newer | newer / older | interval |", "|---|---|---|---|---|", *rows]
    if arguments.write:
        write_between(PAGE, BEGIN, END, lines)


if __name__ == "__main__":
    main()
