"""Pauses and limits of queues."""

import pytest

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.rates import QueueRules, Rate
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import Store
from tests.contract.conftest import End, LeaseSome, Submit, ids
from tests.contract.test_key_rates import STEPS_MS


def test_a_paused_queue_is_not_leased_and_does_not_hold_up_the_others(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    paused, other = submit(queue="mail", priority=9), submit()
    store.queues.pause("mail")
    assert ids(lease(10)) == [other]
    bell = store.bells.listen_pool("mail")
    bell.drain()
    store.queues.resume("mail")
    assert bell.drain()
    assert ids(lease(10)) == [paused]
    bell.close()
    assert [event.kind for event in store.events.after(0, 99) if event.job_id is None] == [
        Kind.QUEUE_PAUSED,
        Kind.QUEUE_RESUMED,
    ]


def test_the_operators_word_outlives_the_configurations(store: Store, another) -> None:
    store.queues.configure({"mail": QueueRules(paused=True), "other": QueueRules()})
    assert [(q.name, q.paused) for q in store.queues.all()] == [("mail", True), ("other", False)]
    store.queues.resume("mail")
    store.queues.pause("other")
    another().queues.configure({"mail": QueueRules(paused=True)})
    assert [(q.name, q.paused) for q in store.queues.all()] == [("mail", False), ("other", True)]
    assert store.queues.paused_by_hand() == {"mail": False, "other": True}


def test_at_most_max_running_jobs_of_a_queue_are_leased(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    store.queues.configure({"mail": QueueRules(max_running=2)})
    mails = [submit(queue="mail", priority=5) for _ in range(4)]
    others = [submit() for _ in range(3)]
    held = lease(10)
    assert ids(held) == mails[:2] + others
    assert lease(10) == []
    with store.write(durable=True):
        end(held[0])
        assert ids(lease(10)) == [mails[2]]


def test_a_crash_makes_room_again(store: Store, submit: Submit, lease: LeaseSome) -> None:
    store.queues.configure({"mail": QueueRules(max_running=1)})
    first, second = submit(queue="mail"), submit(queue="mail")
    (held,) = lease(10)
    assert lease(10) == []
    store.leases.free("life-1", CellState(held.token, running=True))
    assert ids(lease(10)) == [first]
    assert second


def test_a_rate_lets_jobs_through_as_time_passes(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    store.queues.configure({"mail": QueueRules(rate=Rate(2, 1, burst=2))})
    for _ in range(6):
        submit(queue="mail")
    assert len(lease(10)) == 2
    assert lease(10) == []
    due = store.leases.next_due_ms()
    assert due is not None and clock.wall < due <= clock.wall + 501
    clock.advance(499)
    assert lease(10) == []
    clock.advance(2)
    assert len(lease(10)) == 1
    clock.advance(60_000)
    assert len(lease(10)) == 2


def test_a_rate_follows_neither_the_wall_clock_nor_an_earlier_boot(
    store: Store, submit: Submit, lease: LeaseSome, clock
) -> None:
    store.queues.configure({"mail": QueueRules(rate=Rate(1, 1))})
    for _ in range(3):
        submit(queue="mail")
    assert len(lease(10)) == 1
    clock.wall += 3_600_000
    assert lease(10) == []
    clock.boot, clock.monotonic = "boot-2", 5
    assert len(lease(10)) == 1


def starts_at(lease: LeaseSome, clock, for_ms: int) -> list[int]:
    """Lease all that the limits allow, after each step; return when each job started."""
    started = []
    for step_ms in STEPS_MS * (for_ms // sum(STEPS_MS)):
        started += [clock.monotonic] * len(lease(1_000))
        clock.advance(step_ms)
    return started


@pytest.mark.parametrize("burst", [1, 4])
def test_no_second_has_more_starts_than_the_rate_and_the_burst_allow(
    store: Store, lease: LeaseSome, clock, burst: int
) -> None:
    store.queues.configure({"mail": QueueRules(rate=Rate(10, 1, burst))})
    store.jobs.submit_many([NewJob("noop", queue="mail")] * 100)
    started = starts_at(lease, clock, 3_000)
    clock.advance(60_000)
    started += starts_at(lease, clock, 3_000)
    for first in started:
        assert len([one for one in started if first <= one < first + 1_000]) <= 10 + burst - 1
    assert len(started) >= 60


@pytest.mark.parametrize("how", ["released", "its worker died"])
def test_a_job_that_was_not_entered_gives_its_token_back(
    store: Store, lease: LeaseSome, submit: Submit, how: str
) -> None:
    store.queues.configure({"mail": QueueRules(rate=Rate(5, 3_600, burst=5))})
    for _ in range(6):
        submit(queue="mail")
    held = lease(10)
    assert len(held) == 5
    if how == "released":
        store.leases.release(held[1:])
    else:  # while it ran the first
        store.leases.free("life-1", CellState(held[0].token, running=True))
    assert len(lease(10)) == 4
    assert lease(10) == []
