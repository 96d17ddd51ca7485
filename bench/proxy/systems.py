"""What is compared: each a program between bench_load and bench_shard."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from free_port import free_port


def wait_for_port(port, process):
    for _ in range(500):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args[0]} does not listen on {port}")


def program(name):
    """Debian keeps servers where a plain user's PATH does not look."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not found:
        raise RuntimeError(f"{name} is not installed")
    return found


class Running:
    """A program under test: its port and its process."""

    def __init__(self, command, port, log):
        self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self.port = port
        wait_for_port(port, self.process)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Shards:
    """One bench_shard that plays all shards."""

    def __init__(self, build, count, value_bytes):
        self.process = subprocess.Popen(
            [build / "bench/bench_shard", "--ports", str(count), "--value-bytes", str(value_bytes)],
            stdout=subprocess.PIPE, text=True)
        self.ports = [int(port) for port in self.process.stdout.readline().split()]

    def stop(self):
        self.process.kill()
        self.process.wait()


def haproxy(threads):
    def start(directory, shards, log):
        port = free_port()
        servers = "".join(f"  server s{i} 127.0.0.1:{p}\n" for i, p in enumerate(shards))
        text = ("global\n  maxconn 8000\n" + (f"  nbthread {threads}\n" if threads else "") +
                "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n"
                f"frontend clients\n  bind 127.0.0.1:{port}\n  default_backend shards\n"
                f"backend shards\n  balance roundrobin\n{servers}")
        path = directory / f"haproxy-{threads}.cfg"
        path.write_text(text)
        return Running([program("haproxy"), "-db", "-f", path], port, log)
    return start


def nginx(directory, shards, log):
    port = free_port()
    servers = "".join(f"server 127.0.0.1:{p}; " for p in shards)
    path = directory / "nginx.conf"
    path.write_text("daemon off; master_process off; worker_processes 1; \n"
                    f"pid {directory}/nginx.pid; error_log stderr;\n"
                    "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n"
                    "events { worker_connections 10000; }\n"
                    f"stream {{ upstream shards {{ {servers} }}\n"
                    f"  server {{ listen 127.0.0.1:{port}; proxy_pass shards; tcp_nodelay on; }} }}\n")
    return Running([program("nginx"), "-e", "stderr", "-p", directory, "-c", path], port, log)


def pump(build):
    def start(directory, shards, log):
        port = free_port()
        return Running([build / "bench/bench_pump", "--port", str(port), "--to", ",".join(map(str, shards))], port, log)
    return start


def make_ring(build, directory, vnodes, pnodes):
    """A ring in node-fash's form, its vnodes dealt out in turn."""
    path = directory / f"ring-{vnodes}-{pnodes}"
    if not path.exists():
        names = " ".join(f"tcp://{i}.moray.bench:2020" for i in range(pnodes))
        subprocess.run([build / "moray-router", "ring", "create", "-v", str(vnodes), "-b", "leveldb", "-l", path, "-p", names],
                       check=True, stdout=subprocess.DEVNULL)
    return path


def router_config(build, directory, shards, port, workers=1, version=2, vnodes=1024):
    """A configuration file whose shards are at these ports."""
    config = {"listen": {"host": "127.0.0.1", "port": port}, "monitor": {"host": "127.0.0.1", "port": free_port()},
              "status": {"host": "127.0.0.1", "port": free_port()},
              "admin": {"socket": str(directory / f"admin-{port}.sock")},
              "ring": {"location": str(make_ring(build, directory, vnodes, len(shards)))},
              "workers": workers, "log": {"level": "warn"},
              "shards": [{"pnode": f"tcp://{i}.moray.bench:2020", "backend": "moray", "address": f"127.0.0.1:{p}",
                          "fastVersion": version} for i, p in enumerate(shards)]}
    path = directory / f"router-{port}.json"
    path.write_text(json.dumps(config))
    return path


def router(build, **settings):
    def start(directory, shards, log):
        port = free_port()
        path = router_config(build, directory, shards, port, **settings)
        return Running([build / "moray-router", "serve", "--config", path], port, log)
    return start
