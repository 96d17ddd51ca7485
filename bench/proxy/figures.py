"""Figures of the router alone: memory, start, and memory over time."""
import json
import socket
import statistics
import subprocess
import time

import systems


def resident_kib(process):
    with open(f"/proc/{process}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def load(build, port, **options):
    command = [build / "bench/bench_load", "--port", str(port)]
    for name, value in options.items():
        command += [f"--{name}".replace("_", "-"), str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"replies were wrong: {done.stdout}")
    return json.loads(done.stdout)


def memory(build, directory, log, vnodes=1_000_000, clients=4000):
    """At rest, after a load, and for each of many idle clients that had an answer each."""
    shards = systems.Shards(build, 2, 600)
    running = systems.router(build, vnodes=vnodes)(directory, shards.ports, log)
    try:
        process = running.process.pid
        time.sleep(1)
        found = {"vnodes": vnodes, "at_rest_kib": resident_kib(process)}
        load(build, running.port, connections=64, outstanding=4, seconds=3)
        time.sleep(2)
        found["after_load_kib"] = resident_kib(process)
        before = resident_kib(process)
        idle = subprocess.Popen([build / "bench/bench_load", "--port", str(running.port), "--connections", str(clients), "--rate", "4000",
                                 "--seconds", "6"], stdout=subprocess.DEVNULL)
        time.sleep(4)
        found["clients"] = clients
        found["bytes_a_client"] = (resident_kib(process) - before) * 1024 / clients
        idle.wait()
        return found
    finally:
        running.stop()
        shards.stop()


def start(build, directory, log, vnodes=1_000_000, times=5):
    """Seconds from the process's start to its first answer."""
    shards = systems.Shards(build, 2, 600)
    systems.make_ring(build, directory, vnodes, 2)
    seconds = []
    try:
        for _ in range(times):
            port = systems.free_port()
            path = systems.router_config(build, directory, shards.ports, port, vnodes=vnodes)
            begin = time.monotonic()
            process = subprocess.Popen([build / "moray-router", "serve", "--config", path], stdout=log, stderr=log)
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.002)
            load(build, port, connections=1, outstanding=1, seconds=0.001, warm_up=0.0)
            seconds.append(time.monotonic() - begin)
            process.terminate()
            process.wait(20)
    finally:
        shards.stop()
    return {"vnodes": vnodes, "seconds": statistics.median(seconds)}


def soak(build, directory, log, minutes, rate=4000):
    """Memory once a minute under an even load with connections that come and go."""
    shards = systems.Shards(build, 2, 600)
    running = systems.router(build)(directory, shards.ports, log)
    samples = []
    try:
        for _ in range(minutes):
            end = time.monotonic() + 60
            while time.monotonic() < end:
                load(build, running.port, connections=64, rate=rate, seconds=10, warm_up=0.0)
            samples.append(resident_kib(running.process.pid))
    finally:
        running.stop()
        shards.stop()
    return {"rate": rate, "minutes": minutes, "resident_kib": samples}
