"""What a start and a command cost in processor time: `uv run python -m benchmarks.starts`.

Most of it goes into imports, so it hardly depends on what there is to do. Each figure is the median
of several rounds, in ms of a processor, user and system together. Further checkouts that are named
(each with its own .venv) take turns with this one, so that each pair of figures was measured within
a second:

    uv run python -m benchmarks.starts [CHECKOUT …]
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

ROUNDS = 10
COMMANDS = ("--version", "--help", "status", "jobs", "jobs --json", "workers", "schedules")
LONGEST_START_S = 60.0
TICK_S = 0.01


def main(trees: list[Path]) -> None:
    figures: dict[str, dict[Path, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(ROUNDS):
        for tree in trees:
            for name, took_s in one_round(tree).items():
                figures[name][tree].append(took_s * 1000)
    for name, by_tree in figures.items():
        medians = "".join(f"{statistics.median(by_tree[tree]):10.0f}" for tree in trees)
        print(f"{name:24}{medians}")


def one_round(tree: Path) -> dict[str, float]:
    """Start Orpheus of a checkout, run the commands, and return the seconds that each took."""
    python = tree / ".venv" / "bin" / "python"
    with tempfile.TemporaryDirectory() as folder, started(python, Path(folder)) as took_s:
        return {
            **took_s,
            **{
                f"orpheus {line}": of_command([python, "-m", "orpheus", *line.split()], folder)
                for line in COMMANDS
            },
        }


@contextmanager
def started(python: Path, folder: Path) -> Iterator[Mapping[str, float]]:
    """Run Orpheus with two workers; yields what each process took until all were ready."""
    (folder / "config").mkdir()
    (folder / "config" / "orpheus.toml").write_text(
        "[api]\nport = 0\n[pools.default]\nworkers = 2\n[logging]\nformat = 'json'\n"
    )
    with (folder / "log").open("wb") as log:
        supervisor = psutil.Popen(
            [python, "-m", "orpheus"], cwd=folder, stdout=subprocess.DEVNULL, stderr=log
        )
    try:
        wait_until_ready(folder / "log")
        yield processor_time(supervisor)
    finally:
        supervisor.send_signal(signal.SIGTERM)
        supervisor.wait()


def wait_until_ready(log: Path) -> None:
    deadline_s = time.monotonic() + LONGEST_START_S
    url = None
    while time.monotonic() < deadline_s:
        for line in log.read_text().splitlines():
            url = json.loads(line).get("address", url)
        try:
            if url and urllib.request.urlopen(f"{url}/readyz").status == 200:
                return
        except urllib.error.URLError:
            pass
        time.sleep(TICK_S)
    raise TimeoutError(f"not ready after {LONGEST_START_S:g} s:\n{log.read_text()}")


def processor_time(supervisor: psutil.Process) -> dict[str, float]:
    """Return the seconds of each program, and of all together."""
    own = supervisor.cpu_times()
    found = {"a start": 0.0, "supervisor": own.user + own.system}
    found["description of types"] = own.children_user + own.children_system
    for child in supervisor.children():
        name = "API" if "orpheus.api" in child.cmdline() else "a worker"
        found[name] = child.cpu_times().user + child.cpu_times().system
        found["a start"] += found[name]
    found["a start"] += found["supervisor"] + found["description of types"]
    return found


def of_command(argv: list[Path | str], folder: str) -> float:
    """Run a command to its end, and return the seconds that it took."""
    command = subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(command.pid, 0)
    command.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main([Path.cwd(), *map(Path, sys.argv[1:])])
