#!/usr/bin/env python3
"""The project's style, as far as a program can tell: prints what breaks it, and fails then."""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINES_MAX = 400
COLUMNS_MAX = 100

# Which folder may include which (docs/ARCHITECTURE.md); each may include itself.
MAY_INCLUDE = {
    "budget": [],
    "turns": [],
    "coordination": [],
    "json": [],
    "fleet/protocol": ["coordination", "json"],
    "fleet/images": ["json", "ring"],
    "fleet/operator": ["coordination", "fleet/agent", "fleet/images", "fleet/protocol", "fleet/service", "ring"],
    "fleet/agent": ["coordination", "fleet/protocol", "fleet/service"],
    "fleet/service": ["coordination", "fleet/images", "fleet/protocol", "json"],
    "fleet/sources": ["config", "fleet/images", "fleet/service", "ring"],
    "fast": [],
    "ring": ["json"],
    "ring_tool": ["json", "ring"],
    "config": ["json"],
    "objects": ["json"],
    "backends": ["fast", "config"],
    "backends/dns": [],
    "backends/moray": ["backends", "backends/dns", "fast", "config"],
    "backends/embedded": ["backends", "objects", "json", "fast"],
    "backends/postgres/wire": ["budget", "backends/dns", "objects"],
    "backends/postgres/sql": ["backends/postgres/wire", "objects", "json"],
    "backends/postgres/operations": ["backends/postgres/wire", "backends/postgres/sql", "backends", "objects"],
    "backends/postgres": ["backends/postgres/wire", "backends/postgres/operations", "backends", "backends/dns", "objects", "json", "fast"],
    "backends/fake": ["backends", "fast"],
    "router/log": ["fast"],
    "router/loop": ["router/log"],
    "router/plan": ["backends", "fast", "json", "ring"],
    "router/serve": ["budget", "turns", "router/loop", "router/plan", "router/log", "backends", "backends/dns", "backends/moray", "backends/embedded", "backends/postgres", "backends/postgres/operations", "config", "fast", "json", "ring"],
    "router/control": ["router/loop", "router/serve", "router/plan", "router/log", "backends", "backends/postgres/wire", "config", "json", "ring", "ring_tool"],
    "router/member": ["router/control", "router/loop", "router/log", "fleet/agent", "fleet/service", "fleet/sources", "fleet/images", "fleet/protocol", "coordination", "config", "json", "ring"],
    "router/pages": ["router/control", "router/member", "router/loop", "router/log", "router/serve", "backends/postgres/wire"],
    "router/admin": ["router/pages", "router/control", "router/loop", "router/serve", "router/log", "backends/postgres/wire", "json", "ring"],
    "router": ["backends/postgres/wire", "budget", "router/member", "router/admin", "router/pages", "router/control", "router/loop", "router/serve", "router/log", "fleet/sources", "config", "ring"],
    "router/cli": ["backends/postgres/wire", "router", "router/control", "router/log", "router/member", "router/serve", "fleet/images", "fleet/operator", "fleet/service", "fleet/sources", "fleet/protocol", "json", "config", "ring", "ring_tool"],
    "reshard": ["backends/postgres/wire", "backends/postgres/sql", "config", "coordination", "json", "objects", "ring"],
    "reshard/fleet": ["backends/postgres/wire", "config", "coordination", "fleet/agent", "fleet/images", "fleet/operator", "fleet/protocol", "fleet/service", "fleet/sources", "reshard", "ring"],
    "reshard/cli": ["backends/postgres/wire", "config", "fleet/protocol", "json", "objects", "reshard", "reshard/fleet", "ring"],
    "program": ["reshard/cli", "router", "router/cli"],
}
MAY_INCLUDE_ROOTS = sorted({folder.split("/")[0] for folder in MAY_INCLUDE})


def sources(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".cpp", ".hpp"):
                yield path


def folder_of(name):
    """The longest known folder that a root-relative path lies in."""
    return max((folder for folder in MAY_INCLUDE if name.startswith(folder + "/")), key=len, default=None)


def check_length(problems):
    for path in list(sources(*MAY_INCLUDE_ROOTS, "tests", "bench")):
        lines = path.read_text(encoding="utf-8").split("\n")
        name = path.relative_to(ROOT)
        if len(lines) > LINES_MAX:
            problems.append(f"{name}: {len(lines)} lines; look for the second noun")
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX and 'R"' not in line:
                problems.append(f"{name}:{number}: {len(line)} columns")
            if line != line.rstrip():
                problems.append(f"{name}:{number}: space at the end of the line")


def check_format(problems):
    """Against .clang-format, whose meaning differs between versions: Debian 12's is the one."""
    formatter = next(filter(shutil.which, ("clang-format-14", "clang-format")), None)
    version = formatter and subprocess.run([formatter, "--version"], capture_output=True, text=True, check=True).stdout
    if not version or " 14." not in version:
        problems.append(f"clang-format 14 is needed (Debian 12: clang-format), not {version or 'none'}")
        return
    paths = [str(path) for path in sources(*MAY_INCLUDE_ROOTS, "tests", "bench")]
    checked = subprocess.run([formatter, "--dry-run", *paths], capture_output=True, text=True, cwd=ROOT)
    for name in sorted(set(re.findall(r"^(.+?):\d+:\d+: warning: code should be clang-formatted", checked.stderr, re.MULTILINE))):
        problems.append(f"{pathlib.Path(name).relative_to(ROOT)}: not formatted; run clang-format -i on it")
    if checked.returncode != 0:
        problems.append(f"clang-format: {checked.stderr[:500]}")


def check_includes(problems):
    for path in sources(*MAY_INCLUDE_ROOTS):
        name = str(path.relative_to(ROOT))
        own = folder_of(name)
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".hpp" and not text.startswith("#pragma once"):
            problems.append(f"{name}: does not begin with #pragma once")
        for included in re.findall(r'^#include "([^"]+)"', text, re.MULTILINE):
            if not (ROOT / included).exists():
                problems.append(f"{name}: includes {included}, which is not there (paths are from the root)")
                continue
            other = folder_of(included)
            if other != own and other not in MAY_INCLUDE[own]:
                problems.append(f"{name}: {own} may not know {other} ({included})")


def check_cycles(problems):
    graph = {}
    for path in sources(*MAY_INCLUDE_ROOTS):
        if path.suffix == ".hpp":
            text = path.read_text(encoding="utf-8")
            graph[str(path.relative_to(ROOT))] = re.findall(r'^#include "([^"]+)"', text, re.MULTILINE)
    done, path = set(), []

    def visit(name):
        if name in path:
            problems.append("headers include each other: " + " -> ".join(path[path.index(name):] + [name]))
            return
        if name in done:
            return
        path.append(name)
        for other in graph.get(name, []):
            visit(other)
        path.pop()
        done.add(name)

    for name in sorted(graph):
        visit(name)


def check_registered(problems):
    """Every source is built, every test is run."""
    for path in sources(*MAY_INCLUDE_ROOTS, "tests", "bench"):
        if path.suffix != ".cpp":
            continue
        stem = path.name
        parents = [parent for parent in path.parents if ROOT in parent.parents or parent == ROOT]
        lists = [parent / "CMakeLists.txt" for parent in parents if (parent / "CMakeLists.txt").exists()]
        found = any(stem in text or f"fuzz_${{name}}.cpp" in text and stem.startswith("fuzz_")
                    for text in (one.read_text(encoding="utf-8") for one in lists))
        if not found:
            problems.append(f"{path.relative_to(ROOT)}: no CMakeLists.txt names it")


def names_of_tests():
    """As the lists register them; where one does in a foreach, each name of that."""
    names = {f"node_{path.name.removesuffix('.test.js')}" for path in (ROOT / "tests/node").glob("*.test.js")}
    for path in [*(ROOT / "tests").rglob("CMakeLists.txt"), ROOT / "bench/CMakeLists.txt"]:
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        names.update(re.findall(r"moray_router_test\((\w+)", text))
        for name in re.findall(r"add_test\(NAME (\S+)", text):
            variable = re.search(r"\$\{(\w+)\}", name)
            if not variable:
                names.add(name)
                continue
            for values in re.findall(rf"foreach\({variable[1]} ([\w -]+)\)", text):
                names.update(name.replace(variable[0], value) for value in values.split())
    return names


def check_builds(problems):
    """Every test runs in some build of ./test.sh, and one of whole programs in one of them only."""
    builds = {}
    table = (ROOT / "tests/builds.cmake").read_text(encoding="utf-8")
    for build, listed in re.findall(r"^set\(tests_of_(\w+)\n([^)]*)\)", table, re.MULTILINE):
        for name in listed.split():
            builds.setdefault(name, []).append(build)
    tests = names_of_tests()
    for name in sorted(tests - set(builds)):
        problems.append(f"tests/builds.cmake: gives {name} to no build")
    for name in sorted(set(builds) - tests):
        problems.append(f"tests/builds.cmake: there is no test {name}")
    for name, where in sorted(builds.items()):
        whole = name.startswith(("attack", "soak", "node_", "replay_", "integration_", "smf"))
        if len(where) != len(set(where)) or (whole and len(where) > 1):
            problems.append(f"tests/builds.cmake: {name} is in {' and '.join(where)}")


def check_documents(problems):
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = document.read_text(encoding="utf-8")
        name = document.relative_to(ROOT)
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            if not (document.parent / target).exists():
                problems.append(f"{name}: links to {target}, which is not there")
        for path in re.findall(r"`((?:json|fast|ring|ring_tool|config|objects|backends|router|tests|bench|docs|scripts)/[\w./-]*)`", text):
            if not (ROOT / path).exists():
                problems.append(f"{name}: names {path}, which is not there")


def main():
    problems = []
    for check in (check_length, check_format, check_includes, check_cycles, check_registered, check_builds, check_documents):
        check(problems)
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
