"""Leases of a dead worker that a server commits after its death."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orpheus.shared.domain.jobs import Holder, NewJob, Outcome, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import LastExit
from orpheus.shared.process.crash_cell import Cell, remove_cell
from orpheus.shared.storage import Store, open_store
from orpheus.supervisor.late_leases import LateLeases
from orpheus.supervisor.policy.slot import Cause, ProcessEnded
from orpheus.supervisor.recorder import end_process
from orpheus.worker.leasing.held_leases import HeldLeases, store_reports


def end_of(code: int | None) -> ProcessEnded:
    signal = "SIGKILL" if code is None else None
    last_exit = LastExit(1, "it ended", signal=signal, code=code, evidence=None)
    return ProcessEnded("default-1", "life-1", last_exit, Cause.CRASHED)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/orpheus.db", create=True)
    store.has_many_hosts = True
    store.state.cells.mkdir()
    yield store
    store.close()


@pytest.mark.parametrize("leaves_cell", [True, False], ids=["killed", "ended by itself"])
def test_a_lease_that_is_committed_after_its_worker_was_freed_costs_its_job_nothing(
    store: Store, leaves_cell: bool
) -> None:
    job_id = store.jobs.submit(NewJob("noop", max_retries=0)).job.id
    cell = store.state.cell("life-1")
    if leaves_cell:
        Cell.create(cell).close()
    ended, late = end_of(None if leaves_cell else 0), LateLeases()

    assert end_process(store, "host-1", ended) == []
    late.watch(ended, now_s=0.0, for_s=30.0)
    assert late.look(store, 1.0) == []
    assert store.leases.lease(Holder("default-1", "life-1", 1), ("*",), 1, 30_000)
    assert late.look(store, 2.0) == [job_id]
    assert store.jobs.get(job_id).status is Status.PENDING
    assert store.jobs.attempts(job_id) == []
    assert cell.exists() == leaves_cell
    late.look(store, 30.0)
    assert not cell.exists()


def test_a_lease_of_a_worker_whose_cell_was_lost_counts_as_expired(store: Store) -> None:
    job_id = store.jobs.submit(NewJob("noop")).job.id
    assert store.leases.lease(Holder("default-1", "life-1", 1), ("*",), 1, 30_000)
    assert end_process(store, "host-1", end_of(None)) == [job_id]
    assert [one.outcome for one in store.jobs.attempts(job_id)] == [Outcome.LOST]


def test_a_job_whose_result_was_refused_pays_though_its_worker_ended_by_itself(
    store: Store,
) -> None:
    job_id = store.jobs.submit(NewJob("noop", max_retries=0)).job.id
    cell = store.state.cell("life-1")
    held = HeldLeases(Cell.create(cell))
    held.add(store.leases.lease(Holder("default-1", "life-1", 1), ("*",), 1, ttl_ms=0))
    attempt = held.start_next(0.0, lambda: 0)
    assert attempt is not None
    held.end_attempt(attempt, Finished(attempt.lease, Ending.SUCCEEDED, "1"))
    refused, _ = store_reports(store, held.take_reports(), lambda: None)
    assert refused == {attempt.lease.token}
    held.note_refused()
    held.note_reported()
    if held.leaves_nothing():
        remove_cell(cell)

    assert end_process(store, "host-1", end_of(0)) == [job_id]
    assert store.jobs.get(job_id).status is Status.FAILED
    assert [one.outcome for one in store.jobs.attempts(job_id)] == [Outcome.LOST]


def test_late_leases_are_likely_for_a_moment_after_a_worker_was_killed(store: Store) -> None:
    late = LateLeases()
    late.watch(end_of(None), now_s=5.0, for_s=30.0)
    assert not late.are_likely(store, 5.0), "it has removed its cell: it ended by itself"
    Cell.create(store.state.cell("life-1")).close()
    assert late.are_likely(store, 5.9)
    assert not late.are_likely(store, 6.0)
