"""`python -m worker` without a supervisor: real processes, a real database."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.process.clock import create_time_s

Start = Callable[..., Any]
Wait = Callable[..., Any]


def test_it_runs_jobs_and_announces_itself(
    shared_database: Any, shared_worker: Any, wait_for: Wait
) -> None:
    job_id = shared_database.submit("sum_range", '{"n": 100000}')
    job = shared_database.wait(job_id)
    assert (job.status, job.result) == (Status.DONE, '{"sum":5000050000}')
    assert job.worker == f"default@{shared_worker.pid}"
    assert {"sum_range", "wordcount", "sleep", "flaky", "nap"} <= {
        row.name for row in shared_database.store.types.all()
    }
    wait_for(lambda: shared_database.store.processes.all()[0].ready, "its row to say ready")
    [row] = shared_database.store.processes.all()
    assert (row.slot, row.pid, row.pool) == (
        f"default@{shared_worker.pid}",
        shared_worker.pid,
        "default",
    )
    assert row.create_time_s == create_time_s(shared_worker.pid) > 0
    wait_for(lambda: shared_database.store.processes.all()[0].beat > row.beat + 1, "more beats")
    assert "printed while it is imported" in shared_worker.log()


def test_sigterm_lets_the_job_finish_and_takes_no_other(database: Any, start_alone: Start) -> None:
    worker = start_alone().wait_until_ready()
    running = database.submit("nap", '{"seconds": 1}')
    database.wait(running, Status.IN_PROGRESS)
    waiting = database.submit("nap")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert database.store.jobs.get(running).status is Status.DONE
    assert database.store.jobs.get(waiting).status is Status.PENDING
    assert database.store.processes.all() == []
    assert list(database.store.state.cells.iterdir()) == []


def test_a_job_that_does_not_finish_in_time_is_released_and_spends_no_retry(
    database: Any, start_alone: Start
) -> None:
    worker = start_alone({"supervisor.stop_timeout": "200ms"}).wait_until_ready()
    job_id = database.submit("spinning", max_retries=0)
    database.wait(job_id, Status.IN_PROGRESS)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 4
    assert database.outcomes(job_id) == ["released"]
    assert database.store.jobs.get(job_id).status is Status.PENDING
    assert database.store.processes.all() == []


def test_a_timeout_ends_the_attempt_and_the_worker_restarts_itself(
    database: Any, start_alone: Start
) -> None:
    worker = start_alone().wait_until_ready()
    before = database.store.processes.all()[0].incarnation
    job_id = database.submit("spinning", timeout_s=0.3, max_retries=0)
    job = database.wait(job_id)
    assert job.status is Status.FAILED
    assert (job.error.type, "0.3 s" in job.error.message) == ("JobTimeout", True)
    assert "in spinning" in job.error.traceback
    assert database.outcomes(job_id) == ["timed_out"]
    assert database.wait(database.submit("nap")).status is Status.DONE
    assert database.store.processes.all()[0].incarnation != before
    assert worker.process.poll() is None, "the same process"


@pytest.mark.parametrize("job_type", ["obedient", "awaiting"])
def test_a_cancel_stops_a_job_that_checks_for_it_or_awaits(
    shared_database: Any, shared_worker: Any, job_type: str
) -> None:
    job_id = shared_database.submit(job_type)
    shared_database.wait(job_id, Status.IN_PROGRESS)
    assert shared_database.store.jobs.cancel(job_id)[1] is False
    assert shared_database.wait(job_id).status is Status.CANCELLED
    assert shared_database.outcomes(job_id) == ["cancelled"]


def test_a_job_that_ignores_its_cancel_ends_with_its_worker(
    database: Any, start_alone: Start
) -> None:
    worker = start_alone({"jobs.cancel_grace": "200ms"}).wait_until_ready()
    job_id = database.submit("deaf")
    database.wait(job_id, Status.IN_PROGRESS)
    database.store.jobs.cancel(job_id)
    assert worker.wait() == 4
    assert database.store.jobs.get(job_id).status is Status.CANCELLED


def let_the_worker_learn_that_naps_are_short(database: Any) -> None:
    ids = database.store.jobs.submit_many([NewJob("nap")] * 300)
    for job_id in ids:
        database.wait(job_id)


def test_jobs_behind_a_long_one_are_released_and_results_before_it_reported(
    database: Any, start_alone: Start, wait_for: Wait
) -> None:
    start_alone().wait_until_ready()
    let_the_worker_learn_that_naps_are_short(database)
    before, long, *behind = database.store.jobs.submit_many(
        [
            NewJob("nap"),
            NewJob("nap", '{"seconds": 60}'),
            NewJob("nap"),
            NewJob("nap"),
        ]
    )
    assert database.wait(before).status is Status.DONE
    database.wait(long, Status.IN_PROGRESS)
    for job_id in behind:
        wait_for(
            lambda job_id=job_id: database.store.jobs.get(job_id).status is Status.PENDING,
            "a prefetched job to be released",
        )
        assert database.outcomes(job_id) == []
    start_alone().wait_until_ready()
    for job_id in behind:
        assert database.wait(job_id).status is Status.DONE
    assert database.store.jobs.get(long).status is Status.IN_PROGRESS


def test_one_ring_wakes_a_second_worker_for_the_jobs_that_the_first_leaves(
    database: Any, start_alone: Start
) -> None:
    slow_poll = {"heartbeats.interval": "4s", "heartbeats.timeout": "20s", "leases.ttl": "60s"}
    for _ in range(2):
        start_alone(slow_poll).wait_until_ready()
    ids = database.store.jobs.submit_many([NewJob("sleep", '{"seconds": 2}')] * 2)
    jobs = [database.wait(job_id) for job_id in ids]
    assert len({job.worker for job in jobs}) == 2
    assert max(job.started_at_ms for job in jobs) < min(job.finished_at_ms for job in jobs)


def test_a_result_is_kept_until_the_database_can_be_written(
    shared_database: Any, shared_worker: Any, wait_for: Wait
) -> None:
    job_id = shared_database.submit("nap", '{"seconds": 1}')
    shared_database.wait(job_id, Status.IN_PROGRESS)
    began = shared_database.store.clock.monotonic_ms()
    with shared_database.store.write(durable=False):
        wait_for(lambda: shared_database.store.clock.monotonic_ms() > began + 2500, "the job's end")
    assert shared_database.wait(job_id).status is Status.DONE
    assert shared_database.outcomes(job_id) == ["succeeded"]


def test_a_database_that_cannot_be_opened_ends_it_with_74(
    start_alone: Start, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir(mode=0o700)
    (damaged / "orpheus.db").write_bytes(os.urandom(8192))
    worker = start_alone({"database.url": f"sqlite:///{damaged}/orpheus.db"})
    assert worker.wait() == 74
    assert "Traceback" not in worker.log()
