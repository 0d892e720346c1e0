"""A job type that kills its workers, on real processes: the others go on, and its release helps."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store, open_store
from orpheus.supervisor.__main__ import run
from tests.audit_log import entries_of
from tests.machine import wait_until

ROOT = Path(__file__).parents[2]
AFTER = 3
WORKERS = 2
JOBS = """
import os
import signal
from pathlib import Path

from orpheus import job


@job
def fragile() -> None:
    if not Path("mended").exists():
        os.kill(os.getpid(), signal.SIGSEGV)


@job
def sturdy() -> None:
    pass
"""
TOML = f"""
[database]
url = "sqlite:///data/orpheus.db"
[api]
enabled = false
[pools.default]
workers = {WORKERS}
[jobs]
modules = ["jobs_of_test"]
quarantine_after = {AFTER}
[supervisor]
restart_backoff_max = "500ms"
"""


@dataclass
class Running:
    """A supervisor in a folder of its own."""

    folder: Path
    store: Store
    process: subprocess.Popen[bytes]
    capsys: pytest.CaptureFixture[str]

    def command(self, *argv: str) -> tuple[int, str]:
        """What `orpheus …` answers there: its exit code, and what it prints."""
        with contextlib.chdir(self.folder):
            code = run(argv)
        return code, " ".join("".join(self.capsys.readouterr()).split())

    def ids(self, type: str, status: Status) -> list[int]:
        jobs = self.store.jobs.page(JobFilter(status, type), 100)
        return sorted(job.id for job in jobs)


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORPHEUS_")}
    return {**kept, "PYTHONPATH": f".{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def running(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Running]:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/orpheus.toml").write_text(TOML)
    (tmp_path / "jobs_of_test.py").write_text(JOBS)
    store = open_store(f"sqlite:///{tmp_path}/data/orpheus.db", create=True, durable=False)
    with (
        contextlib.closing(store),
        subprocess.Popen(
            [sys.executable, "-m", "orpheus"],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            yield Running(tmp_path, store, process, capsys)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert store.maintenance.verify() == []
        finally:
            process.kill()


def quarantined(running: Running) -> list[int]:
    """Have the fragile type quarantined, amid sturdy jobs that are done; its jobs that are left."""
    store = running.store
    done_before = len(running.ids("sturdy", Status.DONE))
    store.jobs.submit_many([NewJob(name) for name in ["fragile", "sturdy", "sturdy"] * 9])
    is_done: Callable[[], bool] = lambda: (  # noqa: E731
        len(running.ids("sturdy", Status.DONE)) == done_before + 18
    )
    wait_until(is_done, "all others to be done")
    wait_until(store.quarantines.all, "the quarantine")
    wait_until(lambda: not store.stats.counts()[Status.IN_PROGRESS], "the last lease to end")
    left = running.ids("fragile", Status.PENDING)
    crashes = [one for job_id in left for one in store.jobs.attempts(job_id)]
    assert len(left) == 9, "some have spent all their retries"
    assert AFTER <= len(crashes) < AFTER + WORKERS, "the database could be written"
    return left


def all_done(running: Running, job_type: str, ids: list[int]) -> bool:
    return set(running.ids(job_type, Status.DONE)) >= set(ids)


def test_only_a_type_that_kills_its_workers_is_quarantined_until_it_is_released_or_mended(
    running: Running,
) -> None:
    wait_until(lambda: running.store.types.get("fragile"), "the job types to be described")
    the_others_are_done_meanwhile_and_a_release_runs_the_rest(running)
    (running.folder / "mended").unlink()
    new_code_releases_it_and_replaces_the_workers(running)


def the_others_are_done_meanwhile_and_a_release_runs_the_rest(running: Running) -> None:
    left = quarantined(running)
    code, said = running.command("status")
    assert code == 1
    assert "Type fragile is quarantined until it is mended: its jobs killed 3 workers" in said
    assert "killed by SIGSEGV" in said
    assert "orpheus release fragile" in said
    code, said = running.command("why", str(left[0]))
    assert code == 1
    assert "type fragile is quarantined" in said
    (running.folder / "mended").touch()
    assert running.command("release", "fragile", "--reason", "mended")[0] == 0
    wait_until(lambda: all_done(running, "fragile", left), "the rest to be done")
    assert "quarantined" not in running.command("status")[1]
    assert running.command("release", "fragile")[0] == 1
    assert entries_of(running.store, 1)[0].reason == "mended"


def new_code_releases_it_and_replaces_the_workers(running: Running) -> None:
    left = quarantined(running)
    (running.folder / "jobs_of_test.py").write_text(JOBS.replace("if not", "if False and not"))
    running.process.send_signal(signal.SIGHUP)
    wait_until(lambda: all_done(running, "fragile", left), "the rest to be done")
    assert running.store.quarantines.all() == []
