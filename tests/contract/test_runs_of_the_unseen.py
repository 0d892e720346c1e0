"""Jobs of a worker that nobody saw die ran until it was heard last, not until it was found."""

import json
from collections.abc import Callable

import pytest

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Attempt, Holder, Lease, NewLine, Status
from orpheus.shared.domain.processes import ProcessRecord, Role
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import LeaseHolder, Store
from tests.contract.conftest import TTL_MS, LeaseSome, Submit

NIGHT_MS = 8 * 3_600_000


@pytest.fixture
def register(store: Store, clock, holder: Holder) -> Callable[[], None]:
    """Writes the row of the worker that leases: its process has just been created."""

    def write() -> None:
        created_s = clock.monotonic / 1000
        at = (holder.pid, created_s, clock.boot, clock.wall, True, 1, store.clock.monotonic_ms())
        row = ProcessRecord(
            "here", holder.incarnation, holder.slot, "default", Role.WORKER, *at, None, 0
        )
        store.processes.register(row)

    return write


def beat(store: Store) -> None:
    assert store.processes.beat("life-1", ready=True, beat=2, job_id=None, jobs_done=0)


def found_dead(store: Store, held: Lease) -> list[int]:
    seen_ms = store.processes.seen_ms("life-1")
    return store.leases.free("life-1", CellState(held.token, running=True), seen_ms=seen_ms)


def only_attempt(store: Store, job_id: int) -> Attempt:
    (attempt,) = store.jobs.attempts(job_id)
    return attempt


def test_it_ran_until_its_workers_last_beat(
    store: Store, clock, submit: Submit, lease: LeaseSome, register
) -> None:
    register()
    job_id = submit(max_retries=0)
    (held,) = lease()
    clock.advance(35_000)
    beat(store)
    clock.advance(NIGHT_MS)
    assert found_dead(store, held) == [job_id]
    attempt = only_attempt(store, job_id)
    assert attempt.started_at_ms == held.started_at_ms
    assert attempt.finished_at_ms == held.started_at_ms + 35_000
    (ran,) = store.stats.runs().values()
    assert ran.sum_s == pytest.approx(35)
    _, latest = store.stats.latencies()
    assert latest.p50_s == pytest.approx(35)
    assert store.maintenance.verify() == []


def test_its_job_failed_when_it_was_found(
    store: Store, clock, submit: Submit, lease: LeaseSome, register
) -> None:
    register()
    job_id = submit(max_retries=0)
    (held,) = lease()
    clock.advance(NIGHT_MS)
    found_dead(store, held)
    job, event = store.jobs.get(job_id), store.events.after(0, 100)[-1]
    assert (job.status, job.finished_at_ms) == (Status.FAILED, clock.wall)
    (listed,) = store.lists.page(JobFilter(), 9).jobs
    assert job.ran_until_ms == listed.ran_until_ms == held.started_at_ms
    assert store.jobs.run_of(job_id).ran_until_ms == held.started_at_ms
    assert (event.kind, event.at_ms) == (Kind.JOB_FAILED, clock.wall)
    assert json.loads(event.body)["finished_at_ms"] == clock.wall


def test_a_line_that_it_wrote_after_the_last_beat_counts(
    store: Store, clock, submit: Submit, lease: LeaseSome, register
) -> None:
    register()
    job_id = submit()
    (held,) = lease()
    clock.advance(2_000)
    beat(store)
    clock.advance(1_500)
    written_ms = clock.wall
    line = NewLine(written_ms, "info", "still here", "{}")
    assert store.logs.append(job_id, held.token, held.attempt, [line])
    clock.advance(NIGHT_MS)
    found_dead(store, held)
    assert only_attempt(store, job_id).finished_at_ms == written_ms


def test_an_expired_lease_of_a_dead_worker_ran_until_its_last_beat(
    store: Store, clock, submit: Submit, lease: LeaseSome, register
) -> None:
    register()
    job_id = submit()
    (held,) = lease()
    clock.advance(TTL_MS + NIGHT_MS)
    cell = CellState(held.token, running=True)
    seen_ms = store.processes.seen_ms("life-1")
    store.leases.reclaim_expired(lambda _: LeaseHolder(cell, is_dead=True, seen_ms=seen_ms))
    assert only_attempt(store, job_id).finished_at_ms == held.started_at_ms
