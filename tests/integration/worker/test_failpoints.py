"""A worker is killed or stopped at each moment that matters, and another one finishes its job."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Status
from orpheus.shared.process.crash_cell import read_cell

Start = Callable[..., Any]
Wait = Callable[..., Any]
QUIET = {  # no beat and no renewal comes between the job and its commit
    "heartbeats.interval": "2s",
    "heartbeats.timeout": "15s",
    "leases.ttl": "30s",
    "leases.renew_every": "10s",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where failpoints are armed."""
    made = tmp_path / "failpoints"
    made.mkdir()
    return made


@pytest.fixture
def start(start_alone: Start, folder: Path) -> Start:
    """Starts a worker with those failpoints."""
    return lambda: start_alone(QUIET, failpoints=folder)


def free_leases_of_the_dead(database: Any) -> None:
    """What the next start of a supervisor does about a dead worker."""
    for row in database.store.processes.all():
        database.store.leases.free(
            row.incarnation, read_cell(database.store.state.cell(row.incarnation))
        )
        database.store.processes.forget(row.incarnation)


def done_once(database: Any, job_id: int) -> bool:
    events = database.store.events.of_job(job_id, 100)
    return [one.kind for one in events].count("job.done") == 1


def test_a_worker_killed_before_it_is_ready_has_leased_nothing(
    database: Any, start: Start, folder: Path
) -> None:
    (folder / "worker.ready").write_text("kill")
    job_id = database.submit("nap")
    assert start().wait() == -signal.SIGKILL
    assert database.store.jobs.get(job_id).status is Status.PENDING
    free_leases_of_the_dead(database)
    start()
    database.wait(job_id)
    assert database.outcomes(job_id) == ["succeeded"]
    assert done_once(database, job_id)


def test_a_worker_killed_as_it_starts_a_job_has_crashed_in_it(
    database: Any, start: Start, folder: Path
) -> None:
    (folder / "worker.job.entered").write_text("kill")
    job_id = database.submit("nap")
    assert start().wait() == -signal.SIGKILL
    free_leases_of_the_dead(database)
    start()
    database.wait(job_id)
    assert database.outcomes(job_id) == ["crashed", "succeeded"]
    assert done_once(database, job_id)


@pytest.mark.parametrize(
    ("point", "outcomes"),
    [
        pytest.param("worker.job.left", ["lost", "succeeded"], marks=pytest.mark.long),
        ("worker.commit.before", ["lost", "succeeded"]),
        ("worker.commit.after", ["succeeded"]),
    ],
)
def test_a_job_whose_worker_is_killed_after_it_is_committed_or_runs_again(
    database: Any, start: Start, wait_for: Wait, point: str, outcomes: list[str]
) -> None:
    worker = start()
    wait_for(lambda: [row.ready for row in database.store.processes.all()] == [True], "its row")
    job_id = database.submit("arming", json.dumps({"point": point, "deed": "kill"}))
    assert worker.wait() == -signal.SIGKILL
    free_leases_of_the_dead(database)
    start()
    database.wait(job_id)
    assert database.outcomes(job_id) == outcomes
    assert done_once(database, job_id)


def test_a_worker_stuck_in_a_transaction_holds_the_write_lock_until_it_dies(
    database: Any, start: Start, folder: Path, wait_for: Wait
) -> None:
    worker = start()
    wait_for(lambda: [row.ready for row in database.store.processes.all()] == [True], "its row")
    job_id = database.submit(
        "arming", json.dumps({"point": "worker.commit.before", "deed": "hold"})
    )
    wait_for(lambda: not database.store.writable(), "nobody else to be able to write")
    assert list(folder.iterdir()) == []
    worker.signal(signal.SIGKILL)
    worker.wait()
    free_leases_of_the_dead(database)
    start()
    database.wait(job_id)
    assert database.outcomes(job_id) == ["lost", "succeeded"]


def test_a_worker_stopped_after_its_commit_continues_when_it_gets_sigcont(
    database: Any, start: Start, folder: Path, wait_for: Wait
) -> None:
    worker = start()
    wait_for(lambda: [row.ready for row in database.store.processes.all()] == [True], "its row")
    job_id = database.submit("arming", json.dumps({"point": "worker.commit.after", "deed": "stop"}))
    wait_for(lambda: " T " in Path(f"/proc/{worker.pid}/stat").read_text(), "it to be stopped")
    assert database.store.jobs.get(job_id).status is Status.DONE
    worker.signal(signal.SIGCONT)
    assert database.wait(database.submit("nap")).status is Status.DONE
