"""The database in its bad times, under real processes: each fault is made, met, and taken away.

While it lasts: 503 or 507 with a reason and Retry-After for what cannot be done, an answer for the
rest. Once it is gone: as before, within 5 s and without a restart. At the end: whatever got a 201
is there, no damage found, and no log holds a traceback.
"""

import contextlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Status
from tests.api.real_processes import (
    BACK_WITHIN_S,
    OnSmallDisk,
    Orpheus,
    unless_here,
)
from tests.machine import slowness, wait_until

HOLD_THE_LOCK = (
    "import apsw, sys; c = apsw.Connection(sys.argv[1]); c.set_busy_timeout(10_000); "
    "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts what it is given; seen to the end if the test was passed."""
    started: list[Orpheus] = []

    def begin_one(
        kind: type[Orpheus] = Orpheus, *arguments: Any, folder: Path = tmp_path
    ) -> Orpheus:
        folder = folder / f"orpheus-{len(started)}"
        folder.mkdir()
        started.append(kind(folder, *arguments))
        return started[-1]

    yield begin_one
    for one in started:
        one.kill()


def test_another_process_that_holds_the_lock_is_a_503_and_reads_go_on(begin: Any) -> None:
    orpheus = begin()
    orpheus.submit()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, orpheus.database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        began = time.monotonic()
        checks = orpheus.until_unready()
        orpheus.assert_reads()
        orpheus.assert_alive()
        problem = orpheus.until_refused(503)
        assert time.monotonic() - began < 25 * slowness()
        holder.stdin.close()
    assert "write lock" in checks["database"]["detail"] or "held" in checks["database"]["detail"]
    assert "another process has held the database" in problem["detail"]
    orpheus.assert_back()
    orpheus.end_well()


def test_a_full_disk_is_a_507_and_jobs_go_on_once_there_is_space(begin: Any) -> None:
    orpheus = begin(OnSmallDisk)
    before = [orpheus.submit() for _ in range(5)]
    fill(orpheus.inside / "ballast")
    problem = orpheus.until_refused(507)
    assert "no space is left" in problem["detail"]
    assert "no space is left" in orpheus.until_unready()["database"]["detail"]
    orpheus.until_nothing_is_written()
    orpheus.assert_reads()
    orpheus.assert_alive()
    orpheus.start_worker()  # it has no space to begin in, and waits
    (orpheus.inside / "ballast").unlink()
    orpheus.assert_back()
    wait_until(lambda: all(orpheus.job(n)["status"] == "done" for n in before), "the jobs to run")
    orpheus.end_well()


def fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_files_that_cannot_be_written_are_a_503_and_a_running_job_is_not_lost(
    on_disk: Path, begin: Any
) -> None:
    """In memory, a process goes on writing an immutable file that it has open."""
    orpheus = begin(folder=on_disk)
    files = [orpheus.database, Path(f"{orpheus.database}-wal")]
    orpheus.start("worker")
    job_id = orpheus.submit(type="sleep", payload={"seconds": 1})
    wait_until(lambda: orpheus.job(job_id)["status"] == "in_progress", "the job to start")
    with immutable(*files):
        problem = orpheus.until_refused(503)
        assert "cannot be used" in problem["detail"]
        assert "cannot be used" in orpheus.until_unready()["database"]["detail"]
        orpheus.assert_reads()
        orpheus.assert_alive()
        wait_until(lambda: "database_trouble" in orpheus.log(), "the worker to be done with it")
    orpheus.assert_back()
    wait_until(
        lambda: orpheus.job(job_id)["status"] == "done",
        "the job to end",
        BACK_WITHIN_S * slowness(),
    )
    assert len(orpheus.job(job_id)["attempts"]) == 1
    orpheus.end_well()


@contextlib.contextmanager
def immutable(*files: Path) -> Iterator[None]:
    """The kernel refuses every change of `files`, whoever has them open, as on a failed disk."""
    if not shutil.which("chattr") or subprocess.call(["chattr", "+i", *files]):
        unless_here("files cannot be made immutable here")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], check=True)


def test_faults_of_all_kinds_under_load_lose_no_acknowledged_job(begin: Any) -> None:
    """Clients go on while the file comes and goes: each answer is one that they may get."""
    orpheus = begin()
    orpheus.start("worker")
    away = orpheus.disk / "away.db"
    over = threading.Event()

    def write_on() -> None:
        while not over.is_set():
            orpheus.post()

    clients = [threading.Thread(target=write_on) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for _ in range(5):
            orpheus.database.rename(away)
            wait_until(lambda: orpheus.post().status_code == 503, "a refusal")
            away.rename(orpheus.database)
            wait_until(
                lambda: orpheus.post().status_code == 201,
                "an acceptance",
                BACK_WITHIN_S * slowness(),
            )
    finally:
        over.set()
        for client in clients:
            client.join(60)
    orpheus.assert_back()

    def all_done() -> bool:
        counts = orpheus.client.get("/stats").json()["counts"]
        return bool(counts[Status.DONE] == sum(counts.values()))

    wait_until(all_done, "every job to be done", 60)
    orpheus.end_well()
