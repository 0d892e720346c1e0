"""A signal to stop that comes before a program handles it, or while it replaces itself."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import open_store
from tests.machine import PATIENCE_S

ROOT = Path(__file__).parents[2]
HELD_IMPORT = """
import time
print("importing", flush=True)
time.sleep(1000)
"""
STOPPED_WHILE_IT_RESTARTS = """
import os
import signal

def execv(*arguments):
    os.execv = real
    os.kill(os.getpid(), signal.SIGTERM)
    print("restarting", flush=True)
    real(*arguments)

real, os.execv = os.execv, execv
"""


def start(folder: Path, program: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start a program that finds the modules of `folder` first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORPHEUS_")}
    return subprocess.Popen(
        [sys.executable, "-m", f"orpheus.{program}", *arguments],
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
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


def test_a_signal_to_stop_while_a_worker_replaces_itself_ends_it(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(STOPPED_WHILE_IT_RESTARTS)
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    store = open_store(url, create=True, durable=False)
    store.jobs.submit(NewJob("sleep", '{"seconds": 0}'))
    store.close()
    settings = [f"database.url={url}", "pools.default.max_jobs=1", "logging.format=json"]
    process = start(tmp_path, "worker", *(part for one in settings for part in ("--set", one)))
    assert process.stdout is not None
    assert process.stdout.readline() == "restarting\n"
    code, errors = finished(process)
    assert code == 0
    assert errors.count("worker_ready") == 1, "it began again"
