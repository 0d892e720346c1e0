"""Starts under odd conditions: each succeeds, or ends with one clear line and its exit code."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob, Outcome
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.errors import StorageError
from orpheus.shared.storage import open_store
from tests.machine import PATIENCE_S

FIVE_TERM = (signal.SIGTERM,) * 5

Started = subprocess.Popen[str]
Start = Callable[..., Started]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program on a database of its own: `start("supervisor", "jobs.modules=[]")`."""
    started: list[Started] = []

    def start_one(program: str, *settings: str, closing: str = "") -> Started:
        database = f"database.url=sqlite:///{tmp_path}/data/orpheus.db"
        changed = (database, "api.port=0", "pools.default.workers=1", *settings)
        sets = [part for one in changed for part in ("--set", one)]
        argv = [sys.executable, "-m", f"orpheus.{program}"]
        kept = {name: text for name, text in os.environ.items() if not name.startswith("ORPHEUS_")}
        started.append(
            subprocess.Popen(
                ["sh", "-c", f'exec "$@" {closing}', "sh", *argv, *sets],
                env={**kept, "PYTHONPATH": str(tmp_path)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def end_of(process: Started) -> tuple[int, list[str]]:
    """Return its exit code and the lines it wrote to stderr."""
    _, errors = process.communicate(timeout=PATIENCE_S)
    return process.returncode, errors.splitlines()


def is_ready(folder: Path, pid: int) -> bool:
    """Whether the process is ready, and, for a supervisor, whether all its slots are."""
    try:
        store = open_store(f"sqlite:///{folder}/data/orpheus.db")
    except StorageError:
        return False
    slots = store.processes.slots()
    # A supervisor is ready before it has started its first slot.
    alone = [
        one
        for one in store.processes.all()
        if one.pid == pid and one.ready and one.role != "supervisor"
    ]
    store.close()
    return bool(slots or alone) and all(one.state == "ready" for one in slots)


@pytest.mark.parametrize("program", ["worker", "api"])
def test_a_closed_standard_stream_is_dev_null_and_five_signals_within_100_ms_end_it(
    start: Start,
    tmp_path: Path,
    program: str,
    wait_for: Callable[..., Any],
) -> None:
    process = start(program, closing="0<&- >&- 2>&-")
    wait_for(lambda: is_ready(tmp_path, process.pid), f"the {program} to be ready")
    assert_dev_null(process, program)
    send(process, FIVE_TERM)
    assert process.wait(PATIENCE_S) in (0, 4)
    assert_whole(tmp_path)


def assert_dev_null(process: Started, program: str) -> None:
    for fd in range(3):
        target = Path(f"/proc/{process.pid}/fd/{fd}").readlink()
        # A worker reads what is printed from a file of its own, and passes it on.
        assert target == Path(os.devnull) or (program == "worker" and target.suffix == ".out")


def assert_whole(folder: Path) -> None:
    store = open_store(f"sqlite:///{folder}/data/orpheus.db")
    assert store.maintenance.check() == []
    store.close()


def send(process: Started, signals: tuple[signal.Signals, ...]) -> None:
    """Send signals, 20 ms apart: equal ones at once are one to the kernel."""
    for number in signals:
        process.send_signal(number)
        threading.Event().wait(0.02)


def is_excluded(second: Started, folder: Path) -> None:
    """It gives up at once, with one line, and does not make its state folder."""
    code, lines = end_of(second)
    assert (code, len(lines)) == (75, 1), lines
    assert "already running" in lines[0]
    assert not folder.exists()


def test_a_crash_is_told_by_files_in_the_state_folder_and_of_two_started_at_once_one_is_excluded(
    start: Start, tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    (tmp_path / "dying_jobs.py").write_text(
        "import os\nfrom orpheus import job\n@job\ndef dying(ctx):\n"
        "    ctx.log.info('page done', page=62, of='a book')\n"
        "    print('last words', flush=True)\n    os.kill(os.getpid(), 9)\n"
    )
    modules = 'jobs.modules=["dying_jobs"]'
    both = {
        path: start("supervisor", modules, f"database.state_dir={path}")
        for path in (tmp_path / "state", tmp_path / "other")
    }
    ended = wait_for(lambda: [p for p, one in both.items() if one.poll() is not None], "one to end")
    is_excluded(both.pop(ended[0]), ended[0])
    [(folder, process)] = both.items()
    wait_for(lambda: is_ready(tmp_path, process.pid), "the start")
    store = open_store(
        f"sqlite:///{tmp_path}/data/orpheus.db",
        pools={"default": ("*",)},
        state_dir=str(folder),
    )
    job_id = store.jobs.submit(NewJob("dying", max_retries=0)).job.id
    wait_for(lambda: store.jobs.get(job_id).status in TERMINAL, "the job to fail")
    [attempt] = store.jobs.attempts(job_id)
    assert attempt.outcome is Outcome.CRASHED
    assert "last words" in [one.line for one in store.logs.after(job_id, 0, 9)]
    exits = wait_for(
        lambda: [one for slot in store.processes.slots() for one in slot.exits], "its exit"
    )
    assert exits[0].output == "page done\nlast words"
    assert {one.name for one in (tmp_path / "data").iterdir()}.isdisjoint(
        {"orpheus.db-bells", "orpheus.db-cells"}
    )
    assert (store.state.bells / "pool-default").is_fifo()
    send(process, FIVE_TERM)
    assert process.wait(PATIENCE_S) in (0, 4)
    store.close()
