#!/usr/bin/env python3
"""Runs a command beside a PostgreSQL server of its own, which MORAY_ROUTER_FUZZ_DATABASE names.

    tests/fuzz/with_postgres.py build/fuzz/tests/fuzz/fuzz_filter -max_total_time=120 tests/fuzz/corpus/filter
    tests/fuzz/with_postgres.py tests/fuzz/record.py --seconds 600 filter

The server listens on a free loopback port, keeps its data in a temporary directory and ends with the command, whose
exit code is this one's. As root it runs as the user `postgres`, since PostgreSQL refuses root.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from free_port import free_port

SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "full_page_writes": "off",
            "max_connections": "20"}
START_SECONDS_MAX = 60


def programs():
    """Debian keeps each version's programs in a folder of their own."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        sys.exit("no PostgreSQL server is installed (package postgresql-15)")
    return found[-1].parent


def as_owner(*words):
    owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    return [*owner, *map(str, words)]


def start(directory, port):
    """The server's process, once it answers."""
    data = directory / "data"
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres")
    subprocess.run(as_owner(programs() / "initdb", "-D", data, "-U", "moray", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"),
                   cwd="/", stdout=subprocess.DEVNULL, check=True)
    settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    with (directory / "log").open("w") as log:
        server = subprocess.Popen(as_owner(programs() / "postgres", "-D", data, "-p", port, *settings), cwd="/",
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    for _ in range(START_SECONDS_MAX * 10):
        ready = subprocess.run([programs() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False)
        if ready.returncode == 0:
            return server
        if server.poll() is not None:
            break
        time.sleep(0.1)
    stop(server)
    sys.exit((directory / "log").read_text(errors="replace"))


def stop(server):
    """SIGINT is PostgreSQL's fast end: it ends sessions, and loses nothing."""
    if server.poll() is None:
        server.send_signal(signal.SIGINT)
    server.wait()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as name:
        port = free_port()
        server = start(pathlib.Path(name), port)
        try:
            url = f"postgresql://moray@127.0.0.1:{port}/postgres"
            return subprocess.run(sys.argv[1:], env={**os.environ, "MORAY_ROUTER_FUZZ_DATABASE": url}, check=False).returncode
        finally:
            stop(server)


if __name__ == "__main__":
    sys.exit(main())
