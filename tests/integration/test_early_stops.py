"""A signal to stop that comes before a program handles it."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from tests.machine import HANGS_UP, PATIENCE_S, wait_until

ROOT = Path(__file__).parents[2]
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
HELD_IMPORT = """
import time
import weakref

class Lock:
    pass

def wait():
    while True:  # a signal just before a sleep is handled after it
        time.sleep(0.01)

def callback(_):
    print("importing", flush=True)
    wait()

lock = Lock()
watched = weakref.ref(lock, callback)
del lock
wait()
"""
"""It holds where imports release their locks, too: Python ignores what a handler raises there."""
STARTS_ANOTHER = """
import subprocess
import time
from pathlib import Path

child = subprocess.Popen(["sleep", "1000"])
Path("pid").write_text(f"{child.pid}\\n")
time.sleep(1000)
"""


def start(
    folder: Path, program: str, *arguments: str, under: Sequence[str] = HANGS_UP
) -> "subprocess.Popen[str]":
    """Start a program that finds the modules of `folder` first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORPHEUS_")}
    return subprocess.Popen(
        [*under, sys.executable, "-m", f"orpheus.{program}", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: "subprocess.Popen[str]") -> tuple[int, str]:
    try:
        _, errors = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    return process.returncode, errors


@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize(("program", "module"), [("worker", "argparse"), ("api", "click")])
def test_a_signal_to_stop_during_the_imports_is_a_clean_end(
    tmp_path: Path, program: str, module: str, number: signal.Signals
) -> None:
    (tmp_path / f"{module}.py").write_text(HELD_IMPORT)
    process = start(tmp_path, program)
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    process.send_signal(number)
    assert finished(process) == (0, "")


def test_a_signal_to_stop_while_job_modules_are_imported_ends_what_they_have_started(
    tmp_path: Path,
) -> None:
    (tmp_path / "starting_jobs.py").write_text(STARTS_ANOTHER)
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    settings = [f"database.url={url}", "jobs.modules=['starting_jobs']", "api.port=0"]
    process = start(tmp_path, "api", *(part for one in settings for part in ("--set", one)))
    noted = tmp_path / "pid"
    wait_until(lambda: noted.exists() and noted.read_text().endswith("\n"), "the import")
    started = psutil.Process(int(noted.read_text()))
    process.send_signal(signal.SIGTERM)
    assert finished(process) == (0, "")
    wait_until(lambda: not started.is_running(), "what it had started to end")
