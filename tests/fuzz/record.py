#!/usr/bin/env python3
"""Runs fuzz targets for a time, and writes what they came to into docs/reliability.md.

    tests/fuzz/record.py --seconds 600 [--jobs 2] [NAME...]    of build/fuzz; without names: all

Rows of targets that are not named stay as they are. Ends with 1 where a target found something; its input is kept,
and named.
"""

import argparse
import concurrent.futures
import datetime
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILT = ROOT / "build" / "fuzz" / "tests" / "fuzz"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- fuzz: begin -->", "<!-- fuzz: end -->"


def run(name, seconds, commit, day):
    """One target's row, and whether it found something."""
    with tempfile.TemporaryDirectory() as found:
        words = [BUILT / f"fuzz_{name}", f"-max_total_time={seconds}", "-print_final_stats=1", "-rss_limit_mb=4096",
                 f"-artifact_prefix={ROOT}/build/fuzz/found-{name}-", found, ROOT / "tests" / "fuzz" / "corpus" / name]
        end = subprocess.run(words, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    stat = {key: int(value) for key, value in re.findall(r"stat::(\w+):\s+(\d+)", end.stderr)}
    covered = re.findall(r"cov: (\d+)", end.stderr)
    if end.returncode != 0:
        print(end.stderr[-4000:], file=sys.stderr)
    row = (name, commit, day, seconds, stat.get("number_of_executed_units", 0), covered[-1] if covered else "?",
           stat.get("peak_rss_mb", 0), "nothing" if end.returncode == 0 else f"something (exit code {end.returncode})")
    print(*row, sep="\t", flush=True)
    return row, end.returncode != 0


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=int, default=600)
    arguments.add_argument("--jobs", type=int, default=1, help="targets at once")
    arguments.add_argument("names", nargs="*")
    asked = arguments.parse_args()
    names = asked.names or sorted(path.name[5:] for path in BUILT.glob("fuzz_*") if path.is_file() and path.stat().st_mode & 0o100)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    day = datetime.date.today().strftime("%-d %B %Y")
    with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
        runs = list(pool.map(lambda name: run(name, asked.seconds, commit, day), names))
    page = PAGE.read_text(encoding="utf-8")
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    rows = {line.split("|")[1].strip(): line for line in page[begin:end].splitlines() if line.startswith("| ") and not line.startswith("| target ")}
    rows.update({row[0]: "| " + " | ".join(map(str, row)) + " |" for row, _ in runs})
    table = ["Command: `tests/fuzz/record.py --seconds SECONDS TARGET...`", "",
             "| target | commit | day | seconds | inputs | edges covered | most memory, MB | found |", "|---|---|---|---|---|---|---|---|",
             *(rows[name] for name in sorted(rows))]
    PAGE.write_text(page[:begin] + "\n" + "\n".join(table) + "\n" + page[end:], encoding="utf-8")
    return 1 if any(bad for _, bad in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
