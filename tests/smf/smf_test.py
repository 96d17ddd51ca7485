#!/usr/bin/env python3
"""The SMF manifest's structure and values, and its methods run under a stand-in for the restarter."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from free_port import free_port

ROUTER = os.environ["MORAY_ROUTER_BIN"]
METHOD = str(ROOT / "smf" / "method")
DRAIN_SECONDS = 30  # timeouts.drainMs

# Which children an element takes, in this order (service_bundle(5)); ? once at most, * any, 1 once.
CHILDREN = {
    "service_bundle": [("service", "*")],
    "service": [("create_default_instance", "?"), ("single_instance", "?"), ("restarter", "?"), ("dependency", "*"),
                ("dependent", "*"), ("method_context", "?"), ("exec_method", "*"), ("property_group", "*"),
                ("instance", "*"), ("stability", "?"), ("template", "?")],
    "instance": [("restarter", "?"), ("dependency", "*"), ("dependent", "*"), ("method_context", "?"),
                 ("exec_method", "*"), ("property_group", "*"), ("template", "?")],
    "dependency": [("service_fmri", "*")],
    "property_group": [("stability", "?"), ("propval", "*"), ("property", "*")],
    "method_context": [("method_credential", "?"), ("method_environment", "?")],
    "method_environment": [("envvar", "*")],
    "template": [("common_name", "1"), ("description", "?")],
    "common_name": [("loctext", "*")],
}
ATTRIBUTES = {
    "exec_method": {"type", "name", "exec", "timeout_seconds"},
    "dependency": {"name", "grouping", "restart_on", "type"},
    "propval": {"name", "type", "value"},
    "service": {"name", "type", "version"},
    "instance": {"name", "enabled"},
    "property_group": {"name", "type"},
}


def manifest():
    return ElementTree.parse(ROOT / "smf" / "electric-moray.xml").getroot()


class Structure(unittest.TestCase):
    def check(self, element):
        allowed = CHILDREN.get(element.tag, [])
        names = [child.tag for child in element]
        pattern = "".join(f"(?:{name} ){ {'*': '*', '?': '?', '1': ''}[how] }" for name, how in allowed)
        self.assertRegex("".join(name + " " for name in names), "^" + pattern + "$", f"children of <{element.tag}>")
        for attribute in ATTRIBUTES.get(element.tag, set()):
            self.assertIn(attribute, element.attrib, f"<{element.tag}>")
        for child in element:
            self.check(child)

    def test_children_come_in_the_order_that_svccfg_wants(self):
        self.check(manifest())

    def test_the_properties_are_those_of_electric_moray(self):
        group = manifest().find(".//instance[@name='electric-moray-2021']/property_group[@name='electric-moray']")
        self.assertEqual(group.get("type"), "application")
        values = {value.get("name"): (value.get("type"), value.get("value")) for value in group}
        self.assertEqual(values, {"port": ("astring", "2021"), "kang": ("astring", "3021"), "status": ("astring", "4021"),
                                  "ring-location": ("astring", "/electric-moray/chash/leveldb-2021")})

    def test_enumerations(self):
        for dependency in manifest().iter("dependency"):
            self.assertIn(dependency.get("grouping"), {"require_all", "require_any", "exclude_all", "optional_all"})
            self.assertIn(dependency.get("restart_on"), {"error", "restart", "refresh", "none"})
        for value in manifest().iter("propval"):
            self.assertIn(value.get("type"), {"astring", "count", "boolean", "integer", "ustring"})

    def test_methods_drain_within_their_time_and_name_properties_that_exist(self):
        methods = {method.get("name"): method for method in manifest().iter("exec_method")}
        self.assertEqual(set(methods), {"start", "refresh", "stop"})
        self.assertEqual(methods["stop"].get("exec"), ":kill")
        self.assertGreater(int(methods["stop"].get("timeout_seconds")), DRAIN_SECONDS + 10)
        self.assertGreater(int(methods["start"].get("timeout_seconds")), 10)
        known = {"electric-moray/" + value.get("name") for value in manifest().iter("propval")}
        for token in re.findall(r"%\{([^}]+)\}", methods["start"].get("exec")):
            self.assertIn(token, known)

    def test_the_systemd_unit_waits_longer_than_a_drain(self):
        text = (ROOT / "packaging" / "moray-router.service").read_text()
        self.assertGreater(int(re.search(r"^TimeoutStopSec=(\d+)", text, re.M).group(1)), DRAIN_SECONDS + 10)
        self.assertRegex(text, r"(?m)^Type=notify$")
        self.assertRegex(text, r"(?m)^RestartPreventExitStatus=96$")


class Methods(unittest.TestCase):
    """What the restarter does, as far as a process can tell."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.directory.name)
        subprocess.run(["tar", "-xf", ROOT / "tests/data/ring/rings/plain-100.leveldb.tar.gz", "-C", self.path], check=True)
        self.ring = self.path / "plain-100"
        self.config = self.path / "config.json"
        hosts = [{"host": f"{i}.moray.example.com"} for i in (1, 2, 3)]
        self.config.write_text(json.dumps({"ringCfg": {"location": "/nowhere", "indexShards": hosts},
                                           "morayOptions": {"cueballOptions": {"resolvers": ["127.0.0.1"]}}}))
        self.ports = [free_port() for _ in range(3)]
        self.pid = None

    def tearDown(self):
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
        self.directory.cleanup()

    def method(self, *words, **environment):
        return subprocess.run([METHOD, *map(str, words)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                              env={**os.environ, "MORAY_ROUTER_BIN": ROUTER, "MORAY_ROUTER_CONFIG": str(self.config), **environment})

    def start(self):
        # Its output goes to a file, as SMF's does: the router keeps it open.
        with open(self.path / "log", "w") as log:
            code = subprocess.run([METHOD, "start", *map(str, self.ports), str(self.ring)], stdout=log, stderr=log, timeout=60,
                                  env={**os.environ, "MORAY_ROUTER_BIN": ROUTER, "MORAY_ROUTER_CONFIG": str(self.config)}).returncode
        return code

    def status(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[2]}/status", timeout=10) as answer:
            return json.load(answer)

    def ended(self):
        for _ in range(1000):
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                return True
            state = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            if state == "Z":
                return True
            time.sleep(0.02)
        return False

    def test_start_returns_when_it_serves_and_a_refused_refresh_leaves_it_healthy(self):
        self.assertEqual(self.start(), 0, (self.path / "log").read_text())
        status = self.status()  # at once: it serves when start has returned
        self.pid = status["pid"]
        digest = status["ring"]["digest"]

        complete = self.config.read_text()
        self.config.write_text("{")
        refreshed = self.method("refresh", MORAY_ROUTER_PIDS=str(self.pid))
        self.assertEqual(refreshed.returncode, 0, refreshed.stderr)
        for _ in range(500):
            status = self.status()
            if status["reloads"] == 1:
                break
            time.sleep(0.02)
        self.assertTrue(status["lastReload"].startswith("refused: "), status["lastReload"])
        self.assertEqual(status["ring"]["digest"], digest)

        self.config.write_text(complete)
        self.assertEqual(self.method("refresh", MORAY_ROUTER_PIDS=str(self.pid)).returncode, 0)
        for _ in range(500):
            status = self.status()
            if status["reloads"] == 2:
                break
            time.sleep(0.02)
        self.assertEqual(status["lastReload"], "ok")

        os.kill(self.pid, signal.SIGTERM)  # :kill
        self.assertTrue(self.ended())
        self.pid = None

    def test_a_configuration_or_ring_that_is_no_good_is_96_at_once(self):
        self.config.write_text("{}")
        self.assertEqual(self.start(), 96, (self.path / "log").read_text())
        self.setUp()
        self.ring = self.path / "nowhere"
        self.assertEqual(self.start(), 96, (self.path / "log").read_text())
        self.assertEqual(self.method("start", 1, 2).returncode, 96)

    def test_a_port_in_use_is_worth_another_attempt(self):
        with socket.socket() as taken:
            taken.bind(("0.0.0.0", self.ports[0]))
            taken.listen()
            self.assertEqual(self.start(), 1)
            self.assertIn(str(self.ports[0]), (self.path / "log").read_text())

    def test_systemd_is_told_that_it_is_ready(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.bind(str(self.path / "notify"))
            notified.settimeout(20)
            with open(self.path / "log", "w") as log:
                router = subprocess.Popen([ROUTER, "serve", "-f", self.config, "-r", self.ring, *sum(
                    ([flag, str(port)] for flag, port in zip(("-p", "-k", "-s"), self.ports)), [])],
                    stdout=log, stderr=log, env={**os.environ, "NOTIFY_SOCKET": str(self.path / "notify")})
            try:
                self.assertEqual(notified.recv(100), b"READY=1\n")
                self.assertEqual(self.status()["pid"], router.pid)
            finally:
                router.terminate()
                self.assertEqual(router.wait(timeout=40), 0)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
