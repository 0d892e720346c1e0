"""How long a job waited: since it was due and free to run, whatever was before."""

from typing import Any

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import Store
from tests.contract.conftest import End, FakeClock, LeaseSome, Submit

BLOCKED_MS, WAITED_MS = 25_000, 20
RAN_MS = 25_000
HOUR_MS = 3_600_000


def waits_of(store: Store) -> tuple[float, float, float | None]:
    """The last wait that each figure tells: of all attempts, of the type, of the newest jobs."""
    types = {one.name: one for one in store.stats.types()}
    return store.stats.waits().sum_s, types[""].waits.sum_s, store.stats.latencies()[0].p95_s


def test_what_a_job_was_blocked_for_is_no_wait(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock: FakeClock
) -> None:
    first = submit()
    waiting = submit(depends_on=(first,))
    (held,) = lease()
    assert store.jobs.get(waiting).freed_at_ms is None
    clock.advance(BLOCKED_MS)
    assert end(held)
    job = store.jobs.get(waiting)
    assert (job.status, job.freed_at_ms) == (Status.PENDING, clock.wall)
    assert job.run_at_ms == clock.wall - BLOCKED_MS  # its turn is still that of its submission
    clock.advance(WAITED_MS)
    end(lease()[0])
    assert waits_of(store) == (0.02, 0.02, 0.02)


def test_a_job_that_was_due_before_it_was_submitted_waits_since_its_submission(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock: FakeClock
) -> None:
    job_id = submit(run_at_ms=clock.wall - HOUR_MS)
    blocked = submit(depends_on=(job_id,), run_at_ms=clock.wall - HOUR_MS)
    assert store.jobs.get(blocked).freed_at_ms is None
    clock.advance(WAITED_MS)
    assert store.waiting.oldest_due_s() == 0.02
    assert store.alerts.late_queues(clock.wall - WAITED_MS, 1) == []
    assert store.alerts.late_queues(clock.wall - WAITED_MS + 1, 1) == ["default"]
    end(lease()[0])
    assert waits_of(store) == (0.02, 0.02, 0.02)
    just_now = submit(run_at_ms=clock.wall - 1_000)
    assert store.jobs.get(just_now).freed_at_ms is None, "a client wrote run_at=now()"
    assert store.maintenance.verify() == []


def test_a_retry_forgets_an_unblock_before_it_even_if_the_clock_has_jumped_back(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock: FakeClock
) -> None:
    waiting = submit(depends_on=(submit(),), max_retries=0)
    end(lease()[0])
    end(lease()[0], Ending.FAILED)
    clock.wall -= 3_600_000
    store.jobs.retry(waiting)
    clock.advance(WAITED_MS)
    end(lease()[0])
    assert waits_of(store)[:2] == (0.02, 0.02)


def test_a_queue_is_not_late_for_what_its_jobs_were_blocked(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock: FakeClock
) -> None:
    first = submit(priority=1)
    for _ in range(3):
        submit(depends_on=(first,))
    (held,) = lease()
    clock.advance(BLOCKED_MS)
    submit()
    clock.advance(4_500)
    assert end(held)

    def late(within_ms: int, at_least: int) -> Any:
        return store.alerts.late_queues(clock.wall - within_ms, at_least)

    assert late(4_000, 1) == ["default"]  # behind the three, one that was never blocked
    assert late(4_000, 2) == []
    clock.advance(4_001)
    assert late(4_000, 4) == ["default"]


def test_what_a_job_ran_before_it_was_released_is_no_wait(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock: FakeClock
) -> None:
    job_id = submit()
    (held,) = lease()
    clock.advance(RAN_MS)
    assert end(held, Ending.RELEASED)
    clock.advance(1_000)
    assert store.waiting.oldest_due_s() == 1.0
    submit()
    (again,) = lease()
    assert again.job_id == job_id, "its turn is still that of its submission"
    end(again)
    assert waits_of(store) == (1.0, 1.0, 1.0)
    assert store.maintenance.verify() == []


def test_a_job_whose_worker_died_waits_since_that_was_known(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock: FakeClock
) -> None:
    job_id = submit()
    (held,) = lease()
    clock.advance(RAN_MS)
    cell = CellState(held.token, running=True)
    assert store.leases.free("life-1", cell, was_stopped=True) == [job_id]
    clock.advance(WAITED_MS)
    end(lease()[0])
    assert waits_of(store) == (0.02, 0.02, 0.02)
