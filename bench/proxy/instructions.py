#!/usr/bin/env python3
"""Instructions that the router spends on a request, by callgrind: 8 connections, 16 outstanding, two
shards, gets alone and puts alone. libcrypto's SHA block function is left out: valgrind hides SHA-NI,
so that it runs a slower one there than anywhere else.

  bench/proxy/instructions.py [--build build/release] [--top 20] [--seconds 4]
"""
import argparse
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import systems


def start_under_callgrind(build, directory, shards, log):
    port = systems.free_port()
    path = systems.router_config(build, directory, shards, port)
    command = ["valgrind", "--tool=callgrind", "--fair-sched=yes", f"--callgrind-out-file={directory}/out", "--instr-atstart=yes",
               build / "moray-router", "serve", "--config", path]
    return systems.Running(command, port, log)


def load(build, port, mix, seconds):
    kind, *node_moray = mix.split(", as ")
    command = [build / "bench/bench_load", "--port", str(port), "--connections", "8", "--outstanding", "16", "--mix", kind,
               "--seconds", str(seconds), "--warm-up", "0"] + (["--node-moray"] if node_moray else [])
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return found["requests"]


def control(process, option):
    subprocess.run(["callgrind_control", option, str(process.pid)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def functions(dump):
    """Instructions of each function by itself, and of all together."""
    text = subprocess.run(["callgrind_annotate", "--threshold=100", "--show=Ir", "--auto=no", "--tree=none", dump],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    found = {}
    for count, name in re.findall(r"^\s*([\d,]+) \(\s*[\d.]+%\)\s+[^:\s]*:(.*)$", text, re.MULTILINE):
        name = re.sub(r" \[\S*/([^/\s]+)\]$", r" [\1]", name)  # the object's name, not where this machine has it
        found[name] = found.get(name, 0) + int(count.replace(",", ""))
    total = re.search(r"([\d,]+) \([\d.]+%\)\s+PROGRAM TOTALS", text)
    total = int(total[1].replace(",", ""))
    return {name: count for name, count in found.items() if count < total * 0.9}, total  # a thread's beginning holds all of it


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=systems.ROOT / "build/release")
    parser.add_argument("--top", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=4)
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    with tempfile.TemporaryDirectory(prefix="moray-router-bench-") as name:
        directory = pathlib.Path(name)
        shards = systems.Shards(build, 2, 600)
        with open(directory / "log", "w", encoding="utf-8") as log:
            router = start_under_callgrind(build, directory, shards.ports, log)
            try:
                for mix in ("get", "put", "get, as node-moray", "put, as node-moray"):
                    load(build, router.port, mix, 1)
                    time.sleep(0.5)
                    control(router.process, "--zero")
                    requests = load(build, router.port, mix, arguments.seconds)
                    time.sleep(0.5)
                    before = set(directory.glob("out*"))
                    control(router.process, "--dump")
                    dump = max(set(directory.glob("out*")) - before or before, key=lambda path: path.stat().st_mtime)
                    found, total = functions(dump)
                    sha = max([count for function, count in found.items() if "sha256_block" in function or re.match("0x.*libcrypto", function)], default=0)
                    print(f"{mix}: {(total - sha) / requests:,.0f} instructions a request, SHA-256's blocks ({sha / requests:,.0f}) left out")
                    for function, count in sorted(found.items(), key=lambda each: -each[1])[:arguments.top]:
                        print(f"  {count / requests:8.1f}  {function.replace('std::basic_string_view<char, std::char_traits<char> >', 'string_view')[:110]}")
            finally:
                router.process.send_signal(signal.SIGTERM)
                router.stop()
                shards.stop()


if __name__ == "__main__":
    main()
