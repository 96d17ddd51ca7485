#!/usr/bin/env python3
"""Runs all of the proxy benches and writes their section of bench/RESULTS.md, and its plots.

  bench/proxy/run.py [--build build/release] [--rounds 9] [--data FILE] [--soak MINUTES] [--report-only]

Needs haproxy, nginx-light, libnginx-mod-stream, gnuplot-nox and valgrind (scripts/packages.sh) and about
25 minutes on a machine that does nothing else.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import figures
import report
import systems

HERE = pathlib.Path(__file__).resolve().parent
RESULTS = HERE.parent / "RESULTS.md"


def measure(build, rounds, data, soak):
    compare = [sys.executable, str(HERE / "compare.py"), "--build", str(build), "--output", str(data)]
    for group, times in (("table", rounds), ("further", min(rounds, 5)), ("own", rounds), ("load", min(rounds, 5))):
        subprocess.run(compare + ["--group", group, "--rounds", str(times)], check=True)
    found = json.loads(data.read_text())
    with tempfile.TemporaryDirectory(prefix="moray-router-bench-") as directory, open(pathlib.Path(directory) / "log", "w", encoding="utf-8") as log:
        found["memory"] = figures.memory(build, pathlib.Path(directory), log)
        found["start"] = figures.start(build, pathlib.Path(directory), log)
        if soak:
            found["soak"] = figures.soak(build, pathlib.Path(directory), log, soak)
    instructions = subprocess.run([sys.executable, str(HERE / "instructions.py"), "--build", str(build), "--top", "12"],
                                  stdout=subprocess.PIPE, text=True, check=True)
    found["instructions"] = instructions.stdout
    data.write_text(json.dumps(found))


def soak_text(soak):
    if not soak:
        return []
    samples = [kib / 1024 for kib in soak["resident_kib"]]
    return [f"Memory under {soak['rate']:,} requests a second, 64 connections that are made anew every 10 s, {soak['minutes']} minutes: "
            f"{samples[0]:.1f} MiB after the first, {samples[len(samples) // 2]:.1f} after half, {samples[-1]:.1f} after the last, never above {max(samples):.1f}.", ""]


def write_report(found):
    report.plot_latency(found["load"], HERE.parent / "latency_by_load.svg")
    report.plot_processor(found["table"], HERE.parent / "processor_time.svg")
    memory = found["memory"]
    text = "\n".join([
        "Processor time of the proxy alone for a request, as a ratio to HAProxy (`nbthread 1`) in the same interleaved round; medians. "
        "*Counts*: whether the minimal pump's own ratio was within 15 % of what it is on a quiet machine.", "",
        report.ratio_table(found["table"]), "", "![processor time](processor_time.svg)", "",
        "Further loads, likewise:", "", report.ratio_table(found["further"]), "",
        "The router against itself, processor time:", "", report.own_table(found["own"]), "",
        "Latency by load (open loop, 32 connections, microseconds from the time that a request was due):", "",
        report.load_table(found["load"]), "", "![latency by load](latency_by_load.svg)", "",
        f"Memory with a ring of {memory['vnodes']:,} vnodes: {memory['at_rest_kib'] / 1024:.1f} MiB at rest, {memory['after_load_kib'] / 1024:.1f} MiB after "
        f"a load over 64 connections; {memory['bytes_a_client'] / 1024:.1f} KiB for each of {memory['clients']:,} further clients. "
        f"From the process's start to its first answer, ring of {found['start']['vnodes']:,} vnodes: {found['start']['seconds']:.2f} s.", "",
        *soak_text(found.get("soak")),
        "Instructions by callgrind:", "", "```", found["instructions"].strip(), "```"])
    report.replace_section(RESULTS, "proxies", text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=systems.ROOT / "build/release")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--data", type=pathlib.Path, default=systems.ROOT / "build/proxy_bench.json", help="what was measured; made anew")
    parser.add_argument("--soak", type=int, default=0, help="minutes of an even load, for its memory")
    parser.add_argument("--report-only", action="store_true", help="from the data of an earlier run")
    arguments = parser.parse_args()
    if not arguments.report_only:
        arguments.data.unlink(missing_ok=True)
        measure(arguments.build.resolve(), arguments.rounds, arguments.data, arguments.soak)
    write_report(json.loads(arguments.data.read_text()))


if __name__ == "__main__":
    main()
