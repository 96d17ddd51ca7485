#!/usr/bin/env python3
"""Runs tests in their longest form, and writes what they came to into docs/reliability.md.

    tests/record.py [--build build/release] machine|dispatcher|model|fleet|fleet_model|fleet_ledger|fleet_kills|fleet_moves|fleet_moves_10|fleet_moves_20|differential|attacks|hostile ...
    tests/record.py --build build/asan attacks_asan

Rows of runs that are not named stay as they are. Ends with 1 where a run failed: its row says so.
"""

import argparse
import datetime
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- long runs: begin -->", "<!-- long runs: end -->"
MILLION = {"MORAY_ROUTER_SEED": "1", "MORAY_ROUTER_RUNS": "1000000"}

# What is run: a command of the build or of the tests, its environment, and the words that count.
RUNS = {
    "machine": (["{build}/tests/unit/router/unit_router", "-tc=machine: random*"], MILLION, r"test cases:.*"),
    "dispatcher": (["{build}/tests/unit/router/unit_router", "-tc=dispatcher*"], MILLION, r"test cases:.*"),
    "model": (["{build}/tests/sim/sim_reshard"], {**MILLION, "MORAY_ROUTER_MUTATION_RUNS": "0"}, r"\d+ runs of .*"),
    "fleet": (["{build}/tests/sim/fleet/sim_fleet"], {**MILLION, "MORAY_ROUTER_MUTATION_RUNS": "0"}, r"\d+ runs: .*"),
    "fleet_ledger": (["node", "--test", "--test-reporter=tap", "tests/node/fleet_faults.test.js"], {"MORAY_ROUTER_SEEDS": "1-100", "MORAY_ROUTER_SANITIZED": ""}, r"\{\"fleet_ledger\":.*"),
    "fleet_kills": (["node", "--test", "--test-reporter=tap", "--test-name-pattern=killed at their writes", "tests/node/fleet_cut_off.test.js"], {"MORAY_ROUTER_SEEDS": "1-100", "MORAY_ROUTER_SANITIZED": ""}, r"\{\"fleet_kills\":.*"),
    "fleet_model": (["{build}/tests/sim/sim_reshard", "-tc=model: over a fleet*"], {"MORAY_ROUTER_SEED": "1", "MORAY_ROUTER_FLEET_RUNS": "100000"}, r"\d+ runs.*"),
    "fleet_moves": (["node", "--test", "--test-reporter=tap", "tests/node/fleet_moves.test.js"], {"MORAY_ROUTER_SEEDS": "1-100", "MORAY_ROUTER_ROUTERS": "3", "MORAY_ROUTER_SANITIZED": ""}, r"\{\"fleet_moves\":.*"),
    "fleet_moves_10": (["node", "--test", "--test-reporter=tap", "tests/node/fleet_moves.test.js"], {"MORAY_ROUTER_SEEDS": "101-110", "MORAY_ROUTER_ROUTERS": "10", "MORAY_ROUTER_SANITIZED": ""}, r"\{\"fleet_moves\":.*"),
    "fleet_moves_20": (["node", "--test", "--test-reporter=tap", "tests/node/fleet_moves.test.js"], {"MORAY_ROUTER_SEEDS": "201-205", "MORAY_ROUTER_ROUTERS": "20", "MORAY_ROUTER_SANITIZED": ""}, r"\{\"fleet_moves\":.*"),
    "differential": (["{build}/tests/contract/contract_differential"], {"MORAY_ROUTER_SEED": "1000", "MORAY_ROUTER_OPERATIONS": "1000000"}, r"\d+ operations, .*"),
    "attacks": (["node", "--test", "--test-reporter=tap", "tests/node/control_attacks.test.js"], {"MORAY_ROUTER_LONG": "1", "MORAY_ROUTER_SANITIZED": ""}, r"\{\"(?:damaged|commands)\".*"),
    "hostile": (["node", "--test", "--test-reporter=tap", "tests/node/postgres_hostile.test.js"], {"MORAY_ROUTER_LONG": "1", "MORAY_ROUTER_SANITIZED": ""}, r"\{\"hostile\".*?\"megabytes\":\{[^}]*\}"),
    "attacks_asan": (["node", "--test", "--test-reporter=tap", "tests/node/control_attacks.test.js"], {"ASAN_OPTIONS": "detect_leaks=0", "MORAY_ROUTER_LONG": "1", "MORAY_ROUTER_SANITIZED": "1"}, r"\{\"(?:damaged|commands)\".*"),
}


def run(name, build):
    command, environment, words = RUNS[name]
    command = [word.format(build=build) for word in command]
    begun = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env={**os.environ, "MORAY_ROUTER_BIN": str(build / "moray-router"), **environment})
    if done.returncode != 0:
        print(done.stdout[-4000:], file=sys.stderr)
    found = "; ".join(match.strip().replace("|", "·") for match in re.findall(words, done.stdout))
    shown = " ".join([*(f"{key}={value}" for key, value in environment.items() if value), *(str(word).replace(str(ROOT) + "/", "") for word in command)])
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    row = (f"| {name} | `{shown}` | {commit} | {datetime.date.today().strftime('%-d %B %Y')} | {time.monotonic() - begun:.0f} | "
           f"{'passed' if done.returncode == 0 else 'FAILED'}: {found} |")
    print(row, flush=True)
    return row, done.returncode != 0


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    arguments.add_argument("names", nargs="+", choices=RUNS)
    asked = arguments.parse_args()
    bad = False
    for name in asked.names:
        row, failed = run(name, asked.build.resolve())
        bad = bad or failed
        page = PAGE.read_text(encoding="utf-8")
        begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
        rows = {line.split("|")[1].strip(): line for line in page[begin:end].splitlines() if line.startswith("| ") and not line.startswith("| run ")}
        rows[name] = row
        table = ["| run | command | commit | day | seconds | outcome |", "|---|---|---|---|---|---|", *(rows[key] for key in RUNS if key in rows)]
        PAGE.write_text(page[:begin] + "\n" + "\n".join(table) + "\n" + page[end:], encoding="utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
