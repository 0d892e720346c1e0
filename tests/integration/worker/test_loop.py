"""The main loop with a real store and an executor that the test scripts."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Holder, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.process.crash_cell import Cell
from orpheus.shared.storage import Store, open_store
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.control.database_watch import DatabaseWatch
from orpheus.worker.leasing.held_leases import HeldLeases
from orpheus.worker.leasing.loop import Loop


class Script:
    """An executor: runs `steps[job id]`, and ends the loop after the last job expected."""

    is_outdated = False

    def __init__(self, control: Any) -> None:
        self.control = control
        self.ran: list[int] = []
        self.steps: dict[int, Callable[[], object]] = {}
        self.until: int = 0

    def run(self, running: RunningAttempt) -> Finished:
        job_id = running.lease.job_id
        self.ran.append(job_id)
        self.steps.get(job_id, lambda: None)()
        if job_id == self.until:
            self.control.may_lease = False
        return Finished(running.lease, Ending.SUCCEEDED, "null")


@pytest.fixture
def store(database: Any) -> Iterator[Store]:
    """The worker's own connection."""
    made = open_store(database.url)
    yield made
    made.close()


@pytest.fixture
def script() -> Script:
    control = SimpleNamespace(
        may_lease=True,
        loop_turns=0,
        jobs_done=0,
        stop_deadline_s=float("inf"),
        database=DatabaseWatch(slow_after_s=60),
    )
    return Script(control)


@pytest.fixture
def loop(store: Store, script: Script, make_settings: Callable[..., Any], tmp_path: Any) -> Any:
    """A loop that prefetches a second's work, without helper threads."""
    return Loop(
        make_settings(lease_ttl_s=30.0, ahead_s=1.0, beat_interval_s=0.01),
        Holder("default-1", "life-1", 1),
        store,
        HeldLeases(Cell.create(tmp_path / "cell")),
        script.control,
        SimpleNamespace(is_asleep=False, wake=lambda: None),  # type: ignore[arg-type]
        script,  # type: ignore[arg-type]
        SimpleNamespace(has_raised=False),  # type: ignore[arg-type]
    )


def submit(database: Any, *types: str) -> list[int]:
    ids: list[int] = database.store.jobs.submit_many([NewJob(one) for one in types])
    return ids


def test_a_prefetched_job_that_is_cancelled_never_runs(
    database: Any, loop: Loop, script: Script
) -> None:
    known = submit(database, *["short"] * 100)
    first, cancelled, last = submit(database, "short", "short", "short")

    def cancel() -> None:
        assert database.store.jobs.get(cancelled).status is Status.IN_PROGRESS, "prefetched"
        assert database.store.jobs.cancel(cancelled)[1] is False

    script.steps[first] = cancel
    script.until = last
    loop.run()
    assert script.ran == [*known, first, last]
    assert database.store.jobs.get(cancelled).status is Status.CANCELLED
    assert database.outcomes(cancelled) == []


def test_a_prefetched_job_whose_lease_has_expired_is_not_started(
    database: Any, loop: Loop, script: Script, wait_for: Callable[..., Any]
) -> None:
    loop._settings = replace(loop._settings, lease_ttl_s=0.5)
    known = submit(database, *["short"] * 20)
    first, behind, last = submit(database, "short", "short", "short")
    other = Holder("default-2", "life-2", 2)

    def lose_the_leases() -> None:
        assert database.store.jobs.get(behind).status is Status.IN_PROGRESS, "prefetched"
        lost = wait_for(database.store.leases.reclaim_expired, "the leases to expire")
        assert lost[-3:] == [first, behind, last]
        taken = database.store.leases.lease(other, ("*",), len(lost) - 1, 30_000)
        assert [lease.job_id for lease in taken] == lost[:-1]

    script.steps[first] = lose_the_leases
    script.until = last
    loop.run()
    assert script.ran == [*known, first, last]
    assert database.store.jobs.get(behind).worker == "default-2"


def test_the_results_of_a_batch_and_the_next_leases_share_a_commit(
    database: Any, loop: Loop, script: Script
) -> None:
    *ids, last = submit(database, *["short"] * 500)
    script.until = last
    assert loop.run() is True
    assert script.ran == [*ids, last]
    batches = script.control.loop_turns - script.control.jobs_done  # a job counts as a turn too
    assert batches < 100
    assert database.store.stats.counts()[Status.DONE] == 500


def test_nothing_is_prefetched_with_a_job_of_a_new_type(
    database: Any, loop: Loop, script: Script
) -> None:
    submit(database, *["short"] * 100)
    new, behind = submit(database, "new", "short")
    script.steps[new] = lambda: statuses.append(database.store.jobs.get(behind).status)
    statuses: list[Status] = []
    script.until = behind
    loop.run()
    assert statuses == [Status.PENDING]
    assert database.store.jobs.get(behind).status is Status.DONE


def test_an_order_that_comes_as_the_loop_ends_writes_into_no_reused_descriptor(
    loop: Loop, script: Script
) -> None:
    script.control.may_lease = False
    assert loop.run() is True
    numbers = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(8)]  # those that have come free
    try:
        script.control.on_order()
        for number in numbers:
            with pytest.raises(BlockingIOError):
                os.eventfd_read(number)
    finally:
        for number in numbers:
            os.close(number)


def test_a_worker_told_to_stop_releases_the_jobs_that_it_has_not_started(
    database: Any, loop: Loop, script: Script
) -> None:
    submit(database, *["short"] * 100)
    last, left = submit(database, "short", "short")
    script.until = last
    assert loop.run() is True
    assert database.store.jobs.get(last).status is Status.DONE
    assert database.store.jobs.get(left).status is Status.PENDING
    assert database.outcomes(left) == []


def test_no_more_jobs_are_leased_than_max_jobs_allows(
    database: Any, loop: Loop, script: Script
) -> None:
    loop._settings = replace(loop._settings, max_jobs=30)
    ids = submit(database, *["short"] * 40)
    leased: list[int] = []
    for job_id in ids:
        script.steps[job_id] = lambda: leased.append(
            database.store.stats.counts()[Status.IN_PROGRESS]
        )
    assert loop.replacement_reason() is None
    assert loop.run() is True
    assert script.ran == ids[:30]
    assert max(leased) > 1, "jobs were prefetched"
    assert all(database.store.jobs.attempts(job_id) == [] for job_id in ids[30:])
    assert database.store.stats.counts()[Status.PENDING] == 10
    assert database.store.events.last_seq() == 40 + 2 * 30, "no lease was released"
    assert loop.replacement_reason() == "it has done 30 jobs (max_jobs)"
