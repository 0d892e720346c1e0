"""A job type that kills its workers, on real processes: the others go on, and its release helps."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store, open_store
from tests.audit_log import entries_of
from tests.integration.commands import command
from tests.integration.supervisor.configured import Configured
from tests.machine import wait_until

AFTER = 3
WORKERS = 2
JOBS = """
import os
import signal
from pathlib import Path

from orpheus import job


@job
def fragile() -> None:
    if not Path(__file__).with_name("mended").exists():
        os.kill(os.getpid(), signal.SIGSEGV)


@job
def sturdy() -> None:
    pass
"""
TOML = f"""
[pools.default]
workers = {WORKERS}
[jobs]
modules = ["jobs_of_test"]
quarantine_after = {AFTER}
[supervisor]
restart_backoff_max = "500ms"
"""


@pytest.fixture
def running(
    start_system: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Configured:
    (tmp_path / "jobs_of_test.py").write_text(JOBS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return Configured(start_system, tmp_path, TOML)


@pytest.fixture
def store(running: Configured) -> Iterator[Store]:
    with contextlib.closing(open_store(f"sqlite:///{running.system.database}")) as opened:
        yield opened


def ids(store: Store, type: str, status: Status) -> set[int]:
    return {job.id for job in store.jobs.page(JobFilter(status, type), 100)}


def quarantined(store: Store) -> set[int]:
    """Have the fragile type quarantined, amid sturdy jobs that are done; its jobs that are left."""
    done = len(ids(store, "sturdy", Status.DONE)) + 18
    store.jobs.submit_many([NewJob(name) for name in ["fragile", "sturdy", "sturdy"] * 9])
    wait_until(lambda: len(ids(store, "sturdy", Status.DONE)) == done, "all others to be done")
    wait_until(store.quarantines.all, "the quarantine")
    wait_until(lambda: not store.stats.counts()[Status.IN_PROGRESS], "the last lease to end")
    left = ids(store, "fragile", Status.PENDING)
    crashes = [attempt for job_id in left for attempt in store.jobs.attempts(job_id)]
    assert len(left) == 9, "some have spent all their retries"
    assert AFTER <= len(crashes) < AFTER + WORKERS, "the database could be written"
    return left


def test_only_a_type_that_kills_its_workers_is_quarantined_until_it_is_released_or_mended(
    running: Configured, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(code: int, *words: str) -> str:
        """What `orpheus …` prints, which ends with this exit code."""
        url = f"database.url=sqlite:///{running.system.database}"
        answer = command(capsys, *words, "--set", url)
        assert answer.returncode == code, answer
        return " ".join((answer.stdout + answer.stderr).split())

    left = quarantined(store)
    status = told(1, "status")
    assert "fragile is quarantined after crashing 3 workers" in status
    assert "killed by SIGSEGV" in status
    assert "orpheus release fragile" in status
    assert "fragile is quarantined" in told(1, "why", str(min(left)))
    (tmp_path / "mended").touch()
    told(0, "release", "fragile", "--reason", "mended")
    wait_until(lambda: ids(store, "fragile", Status.DONE) >= left, "the rest to be done")
    assert entries_of(store, 1)[0].reason == "mended"
    assert store.quarantines.all() == []
    told(1, "release", "fragile")

    (tmp_path / "mended").unlink()
    left = quarantined(store)
    (tmp_path / "jobs_of_test.py").write_text(JOBS.replace("if not", "if False and not"))
    running.signal(signal.SIGHUP)
    wait_until(lambda: ids(store, "fragile", Status.DONE) >= left, "the new code to run the rest")
    assert store.quarantines.all() == []
    assert running.system.stop() == 0
    assert store.maintenance.verify() == []
