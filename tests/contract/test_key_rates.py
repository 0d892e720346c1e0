"""Rates per key: how often a job of a key starts, and when the next may."""

import pytest

from orpheus.shared.domain.handover import JobDefaults, RetentionRules, StoredSettings
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.operations.upkeep import Upkeep
from orpheus.shared.storage import Store
from tests.contract.conftest import End, LeaseSome, Opener, ids
from tests.variants import variants

STEPS_MS = (33, 33, 33, 1)
"""One ends right before each tenth of a second, when a job of ten a second must not start yet, and
one with it, when it must."""
SOON = RetentionRules(done_s=60, failed_s=60, cancelled_s=60, events=10_000)


def limit(store: Store, rate: Rate, max_running: int = 0) -> None:
    """Limit each key of the queue `mail`."""
    store.queues.configure({"mail": QueueRules(per_key=KeyRules(max_running, rate))})


def mails(*keys: str) -> list[NewJob]:
    return [NewJob("noop", queue="mail", concurrency_key=key) for key in keys]


def starts_of(lease: LeaseSome, end: End, clock, for_ms: int) -> list[tuple[int, str | None]]:
    """Run all that may run, after each step; return when a job of which key started."""
    started = []
    for step_ms in STEPS_MS * (for_ms // sum(STEPS_MS)):
        for held in lease(1_000):
            started.append((clock.monotonic, held.concurrency_key))
            end(held)
        clock.advance(step_ms)
    return started


@pytest.mark.parametrize(
    ("burst", "max_running"), variants([(1, 0), (1, 2), (4, 0), (4, 2)], (1, 0), (4, 2))
)
def test_no_second_has_more_starts_of_a_key_than_its_rate_and_burst_allow(
    store: Store, lease: LeaseSome, end: End, clock, burst: int, max_running: int
) -> None:
    limit(store, Rate(10, 1, burst), max_running)
    store.jobs.submit_many(mails(*"ab" * 60))
    started = starts_of(lease, end, clock, 3_000)
    clock.advance(60_000)
    started += starts_of(lease, end, clock, 2_000)
    for key in "ab":
        times = [at for at, one in started if one == key]
        for first in times:
            assert len([at for at in times if first <= at < first + 1_000]) <= 10 + burst - 1
        assert len(times) >= 50


def test_a_worker_that_sleeps_is_told_when_the_next_key_opens(
    store: Store, lease: LeaseSome, clock
) -> None:
    limit(store, Rate(2, 1))
    first = store.jobs.submit_many(mails("a", "a", "b"))
    assert ids(lease(10)) == [first[0], first[2]]
    assert lease(10) == []
    due_ms = store.leases.next_due_ms()
    assert due_ms == clock.wall + 500
    clock.advance(499)
    assert not store.leases.is_work_due()
    assert lease(10) == []
    clock.advance(1)
    assert store.leases.is_work_due()
    assert ids(lease(10)) == [first[1]]
    assert store.leases.next_due_ms() is None
    assert store.maintenance.verify() == []


def test_a_rate_follows_neither_the_wall_clock_nor_an_earlier_boot(
    store: Store, lease: LeaseSome, clock
) -> None:
    limit(store, Rate(1, 3_600))
    store.jobs.submit_many(mails("a", "a", "a"))
    assert len(lease(10)) == 1
    clock.wall += 7_200_000
    assert lease(10) == []
    clock.boot, clock.monotonic = "boot-2", 5
    assert store.leases.is_work_due()
    assert len(lease(10)) == 1
    assert lease(10) == []


@pytest.mark.parametrize("leads", [True, False])
def test_parked_jobs_wait_for_one_token_at_most_after_the_clock_was_set_back(
    store: Store, lease: LeaseSome, clock, leads: bool
) -> None:
    """As that of a server of PostgreSQL may be. A slow rate beside it changes nothing."""
    upkeep = Upkeep(StoredSettings({}, (), JobDefaults(max_retries=3, timeout_s=60.0)))
    fast, slow = KeyRules(rate=Rate(1, 1, burst=2)), KeyRules(rate=Rate(1, 86_400))
    store.queues.configure({"mail": QueueRules(per_key=fast), "bulk": QueueRules(per_key=slow)})
    store.jobs.submit_many(mails(*"aaaaabbbbb"))
    store.jobs.submit_many([mail._replace(queue="bulk") for mail in mails("a", "a")])
    assert len(lease(20)) == 5
    upkeep.run(store, leads=leads)
    clock.advance(-3_600_000)
    upkeep.run(store, leads=leads)
    while store.keys.continue_sweep():
        pass  # so does the leader, whoever has begun it
    assert lease(20) == [], "no more than the rates allow"
    assert store.leases.next_due_ms() == clock.wall + 1_000
    clock.advance(1_000)
    assert store.leases.is_work_due()
    assert [held.concurrency_key for held in lease(20)] == ["a", "b"]
    clock.advance(86_400_000)
    assert [held.queue for held in lease(20)].count("bulk") == 1
    assert store.maintenance.verify() == []


def test_a_job_that_was_not_entered_gives_its_token_back(store: Store, lease: LeaseSome) -> None:
    limit(store, Rate(5, 3_600, burst=5))
    store.jobs.submit_many(mails(*"aaaaaaa"))
    held = lease(10)
    assert len(held) == 5
    store.leases.release(held[1:])
    assert len(lease(10)) == 4
    assert lease(10) == []


def test_a_faster_rate_is_in_force_at_once(store: Store, lease: LeaseSome, clock) -> None:
    limit(store, Rate(1, 3_600))
    store.jobs.submit_many(mails("a", "a"))
    assert len(lease(10)) == 1
    limit(store, Rate(1, 1))
    assert lease(10) == []
    assert store.leases.next_due_ms() == clock.wall + 1_000
    clock.advance(1_000)
    assert len(lease(10)) == 1


def test_a_reload_looks_only_at_the_keys_whose_limits_it_changes(
    store: Store, lease: LeaseSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 200,000 keys, looking at all of them held the write lock for seconds."""
    slow, faster = KeyRules(rate=Rate(1, 3_600)), KeyRules(rate=Rate(1, 60))
    before = {"mail": QueueRules(per_key=slow), "bulk": QueueRules(per_key=slow)}
    store.queues.configure(before)
    store.jobs.submit_many(mails(*"aabb"))
    store.jobs.submit_many([mail._replace(queue="bulk") for mail in mails("a", "a")])
    assert len(lease(10)) == 3
    assert lease(10) == []
    waiting = "SELECT queue, key FROM key_rates WHERE opens_mono_ms IS NOT NULL ORDER BY 1, 2"
    monkeypatch.setattr(store.keys, "continue_sweep", lambda: False)  # it would note them again
    store.queues.configure(before | {"other": QueueRules(max_running=5)})
    assert store._database.all(waiting) == [("bulk", "a"), ("mail", "a"), ("mail", "b")]
    store.queues.configure(before | {"bulk": QueueRules(per_key=faster)})
    assert store._database.all(waiting) == [("mail", "a"), ("mail", "b")]
    store.queues.configure({})
    assert store._database.all(waiting) == []


def test_a_key_whose_bucket_is_full_needs_no_row(store: Store, lease: LeaseSome, clock) -> None:
    limit(store, Rate(1, 1))
    store.jobs.submit_many(mails(*[f"key-{n}" for n in range(150)]))
    assert len(lease(200)) == 150
    while store.retention.step(SOON):
        pass
    assert store._database.one("SELECT count(*) FROM key_rates") == (150,)
    clock.advance(1_001)
    while store.retention.step(SOON):
        pass
    assert store._database.one("SELECT count(*) FROM key_rates") == (0,)


def test_no_job_is_leased_twice_at_once_while_others_of_its_queue_are_parked_and_unparked(
    store: Store, lease: LeaseSome, end: End, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs that are unparked while a queue is read move all behind them."""
    monkeypatch.setattr("orpheus.shared.storage.verbs.due_jobs._MOST_PARKED", 20)
    limit(store, Rate(1, 1, burst=5))
    store.jobs.submit_many(mails(*"B" * 10))
    for held in lease(2, ("mail",)):
        end(held)
    clock.advance(2_500)
    for mail in mails(*"CA" * 5):
        store.jobs.submit(mail._replace(priority=5))
    assert len(lease(10, ("mail",))) == 10, "A and C have no tokens now"
    for mail in [*mails(*"CCC"), *[NewJob("noop", queue="mail")] * 2, *mails(*"A" * 40)]:
        store.jobs.submit(mail)
    leased = ids(lease(8, ("mail",)))
    assert leased
    assert len(leased) == len(set(leased))
    assert store.maintenance.verify() == []


def test_an_idle_worker_beside_a_paused_queue_needs_no_write_lock(
    store: Store, another: Opener, lease: LeaseSome, end: End, clock
) -> None:
    limit(store, Rate(1, 1))
    store.queues.pause("plain")
    store.jobs.submit_many([*mails("a", "a", "b", "b"), NewJob("noop", queue="plain")])
    for held in lease(10):
        end(held)
    store.queues.pause("mail")
    assert store.leases.next_due_ms() == clock.wall + 1_000
    clock.advance(1_000)
    assert lease(10) == [], "it looks once at the keys that have opened"
    assert store.leases.next_due_ms() is None
    with another().write(durable=False):
        for _ in range(3):
            clock.advance(2_000)
            assert not store.leases.is_work_due()
    assert lease(10) == []
    store.queues.resume("mail")
    assert store.leases.is_work_due()
    assert [held.concurrency_key for held in lease(10)] == ["a", "b"]
    assert store.maintenance.verify() == []


def test_a_job_of_any_queue_that_is_not_paused_is_due(store: Store, lease: LeaseSome) -> None:
    for queue in ("a", "b", "d"):
        store.queues.pause(queue)
        store.jobs.submit(NewJob("noop", queue=queue))
    assert not store.leases.is_work_due()
    (job_id,) = store.jobs.submit_many([NewJob("noop", queue="c")])
    assert store.leases.is_work_due()
    assert ids(lease(10)) == [job_id]
    assert not store.leases.is_work_due()
