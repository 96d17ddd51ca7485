"""A loopback port for a server that must be told which."""
import pathlib
import random
import socket

LOWEST = 10_000


def free_port():
    """None of those that the system gives to outgoing connections: one of these may have it before the server starts."""
    given = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", random.randrange(LOWEST, given) if given >= LOWEST + 1000 else 0))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise RuntimeError("no port is free")
