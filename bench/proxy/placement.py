"""On which core a process runs, and how often the kernel moves it to another."""
import os
import pathlib


def _tasks(process):
    return [int(one.name) for one in pathlib.Path(f"/proc/{process}/task").iterdir()]


def keep_on(process, core):
    """All threads that `process` has now stay on this core."""
    for task in _tasks(process):
        os.sched_setaffinity(task, {core})


def moves(process):
    """How often its threads were moved to another core up to now; None where the kernel doesn't count it."""
    total = 0
    for task in _tasks(process):
        try:
            text = pathlib.Path(f"/proc/{task}/sched").read_text(encoding="ascii")
        except OSError:
            return None
        counts = [line.split(":")[1] for line in text.splitlines() if line.startswith("se.nr_migrations")]
        if not counts:
            return None
        total += int(counts[0])
    return total
