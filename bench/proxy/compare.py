#!/usr/bin/env python3
"""Compares the router with other proxies in interleaved rounds, and writes what it found as JSON.

  bench/proxy/compare.py [--build build/release] [--rounds 9] [--only TEXT] [--output FILE]

Each round runs every program of a scenario once, one after another, beginning with another one each
time; all of them stay up meanwhile. bench/proxy/report.py makes tables and plots of the result.
"""
import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile

import placement
import scenarios
import systems

GROUPS = {"smoke": scenarios.smoke, "table": scenarios.table, "further": scenarios.further, "own": scenarios.own, "load": scenarios.by_load}


def run_load(build, scenario, ports, process):
    command = [build / "bench/bench_load", "--port", ",".join(map(str, ports)), "--process", str(process),
               "--seconds", str(scenario.seconds), "--value-bytes", str(scenario.value_bytes)]
    for name, value in scenario.load.items():
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"{scenario.name}: replies were wrong: {done.stdout}")
    return json.loads(done.stdout)


def counted_load(build, scenario, ports, process):
    """run_load's result, with `moves`: between cores, a request."""
    before = placement.moves(process)
    found = run_load(build, scenario, ports, process)
    after = placement.moves(process)
    found["moves"] = None if before is None or after is None else (after - before) / found["requests"]
    return found


def start_all(build, scenario, directory, log, started):
    """Ports and process of each system, by name; what must be stopped is appended to `started`."""
    by_count = {}
    running = {}
    for name, start in scenario.systems.items():
        count = scenario.more_shards.get(name, scenario.shards)
        if count not in by_count:
            by_count[count] = systems.Shards(build, count, scenario.value_bytes)
            started.append(by_count[count])
        shards = by_count[count]
        if start is None:
            running[name] = (shards.ports, shards.process.pid)
            continue
        one = start(directory, shards.ports, log)
        started.append(one)
        running[name] = ([one.port], one.process.pid)
    return running


def run_scenario(build, scenario, rounds, directory, log):
    started = []
    try:
        running = start_all(build, scenario, directory, log, started)
        names = list(running)
        if scenario.core is not None:
            for _, process in running.values():
                placement.keep_on(process, scenario.core)
        warm = dataclasses.replace(scenario, load=scenario.half_of[1]) if scenario.half_of else scenario
        for ports, process in running.values():  # connections to shards are made, pages are touched
            run_load(build, warm, ports, process)
        if scenario.half_of:
            system, load = scenario.half_of
            best = run_load(build, dataclasses.replace(scenario, load=load), *running[system])["rate"]
            scenario.load = {**scenario.load, "rate": round(best / 2)}
        result = []
        for number in range(scenario.rounds or rounds):
            turn = number % len(names)
            one = {name: counted_load(build, scenario, *running[name]) for name in names[turn:] + names[:turn]}
            result.append(one)
            figures = "  ".join(f"{name} {one[name]['processor']:.2f}" for name in names)
            print(f"{scenario.name} [{number + 1}] {figures}", file=sys.stderr, flush=True)
        return result
    finally:
        for one in reversed(started):
            one.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=systems.ROOT / "build/release")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--group", action="append", choices=list(GROUPS), help="all but smoke by default")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--system", action="append", help="only these systems")
    parser.add_argument("--seconds", type=float, help="of each run")
    parser.add_argument("--output", type=pathlib.Path, help="JSON; added to what is there")
    arguments = parser.parse_args()
    found = json.loads(arguments.output.read_text()) if arguments.output and arguments.output.exists() else {}
    with tempfile.TemporaryDirectory(prefix="moray-router-bench-") as directory:
        with open(pathlib.Path(directory) / "log", "w", encoding="utf-8") as log:
            for group in arguments.group or ("table", "further", "own", "load"):
                for scenario in GROUPS[group](arguments.build.resolve()):
                    if arguments.only not in scenario.name:
                        continue
                    if arguments.system:
                        scenario.systems = {name: start for name, start in scenario.systems.items() if name in arguments.system}
                    if arguments.seconds:
                        scenario.seconds = arguments.seconds
                    rounds = run_scenario(arguments.build.resolve(), scenario, arguments.rounds, pathlib.Path(directory), log)
                    found.setdefault(group, {})[scenario.name] = {"reach": scenario.reach, "pump": scenario.pump, "rounds": rounds}
                    if arguments.output:
                        arguments.output.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
