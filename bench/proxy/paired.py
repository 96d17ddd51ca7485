#!/usr/bin/env python3
"""The router beside an older one, in interleaved rounds: what a request costs of the processor.

  bench/proxy/paired.py OLDER [--build build/bench] [--rounds 9] [--only TEXT] [--write]

OLDER is a directory with a `moray-router` in it. For each scenario it prints the median of the rounds'
ratios (newer by older) and the interval between the second lowest and the second highest, which for
nine rounds has the true median in it 96 times of 100. The last two columns say how often the kernel moved the
router between cores, a request (median): where they differ, the ratio is also the scheduler's. --write puts the
table into bench/RESULTS.md.
"""
import argparse
import datetime
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import compare
import scenarios
import systems
from page import write_between

PAGE = systems.ROOT / "bench" / "RESULTS.md"
BEGIN, END = "<!-- paired proxy: begin -->", "<!-- paired proxy: end -->"


def row(scenario, rounds):
    ratios = sorted(one["newer"]["processor"] / one["older"]["processor"] for one in rounds)
    figures = [statistics.median(one[name]["processor"] for one in rounds) for name in ("older", "newer")]
    return (f"| {scenario.name} | {figures[0]:.2f} | {figures[1]:.2f} | **{statistics.median(ratios):.3f}** | "
            f"{ratios[1]:.3f} to {ratios[-2]:.3f} | {moves(rounds, 'older')} | {moves(rounds, 'newer')} |")


def moves(rounds, name):
    counts = [one[name]["moves"] for one in rounds]
    return "–" if None in counts else f"{statistics.median(counts):.2f}"


def commit_of(directory):
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=directory, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("older", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=systems.ROOT / "build/bench")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--write", action="store_true", help="into bench/RESULTS.md")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    pair = {"older": systems.router(arguments.older.resolve()), "newer": systems.router(build)}
    lines = [f"Command: `bench/proxy/paired.py OLDER --rounds {arguments.rounds}`; {commit_of(systems.ROOT)} beside "
             f"{commit_of(arguments.older)}; {datetime.date.today().strftime('%-d %B %Y')}. Microseconds of the processor a request.", "",
             "| load | older | newer | newer / older | interval | moves, older | moves, newer |", "|---|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory(prefix="moray-router-bench-") as directory:
        with open(pathlib.Path(directory) / "log", "w", encoding="utf-8") as log:
            for scenario in scenarios.table(build) + scenarios.kept_on_core(build) + scenarios.further(build):
                if arguments.only not in scenario.name or scenario.half_of:
                    continue
                scenario.systems = pair
                lines.append(row(scenario, compare.run_scenario(build, scenario, arguments.rounds, pathlib.Path(directory), log)))
                print(lines[-1], flush=True)
    if arguments.write:
        write_between(PAGE, BEGIN, END, lines)


if __name__ == "__main__":
    main()
