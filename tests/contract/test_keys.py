"""Limits per key: whose jobs run, which are parked, and what brings them back."""

import contextlib
from collections import Counter
from typing import Any

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, JobError, Lease, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import Store
from orpheus.shared.storage.database import Row, Value
from orpheus.shared.storage.sqlite.connection import SqliteDatabase
from orpheus.shared.storage.verbs import due_jobs, keys
from tests.contract.conftest import End, LeaseSome, Submit, ids
from tests.sqlite_handle import handle_of


def limit(store: Store, per_key: int = 0, rate: Rate | None = None, of_queue: int = 0) -> None:
    """Limit each key of the queue `mail`, and the queue."""
    rules = QueueRules(max_running=of_queue, per_key=KeyRules(per_key, rate))
    store.queues.configure({"mail": rules})


def mails(*keys_of_jobs: str | None, **fields: Any) -> list[NewJob]:
    return [NewJob("noop", queue="mail", concurrency_key=key, **fields) for key in keys_of_jobs]


def parked(store: Store) -> list[int]:
    return [row[0] for row in store._database.all("SELECT id FROM jobs WHERE is_parked = 1")]


def test_a_job_keeps_its_key(store: Store, submit: Submit) -> None:
    job_id = submit(queue="mail", concurrency_key="ä b")
    assert store.jobs.get(job_id).concurrency_key == "ä b"
    assert [job.concurrency_key for job in store.jobs.page(JobFilter(), 9)] == ["ä b"]


@pytest.mark.parametrize("queues", [("*",), ("mail",), ("mail", "other")], ids=str)
@pytest.mark.parametrize("at_once", [True, False], ids=["in a batch", "one by one"])
def test_at_most_so_many_jobs_of_a_key_run_and_the_others_pass_them(
    store: Store, lease: LeaseSome, end: End, queues: tuple[str, ...], at_once: bool
) -> None:
    limit(store, 2)
    new = mails("a", "a", "a", "b", None, "b", "a", None, "b")
    a1, a2, a3, b1, n1, b2, a4, n2, b3 = (
        store.jobs.submit_many(new) if at_once else [store.jobs.submit(one).job.id for one in new]
    )
    first = lease(10, queues)
    assert ids(first) == [a1, a2, b1, n1, b2, n2]
    assert lease(10, queues) == []
    assert parked(store) == [a3, a4, b3]
    end(first[0])
    assert ids(lease(10, queues)) == [a3]
    end(first[2])
    end(first[1])
    assert ids(lease(10, queues)) == [a4, b3]
    assert store.maintenance.verify() == []


def test_a_key_counts_in_its_queue_alone(store: Store, lease: LeaseSome) -> None:
    rules = QueueRules(per_key=KeyRules(1))
    store.queues.configure({"mail": rules, "post": rules})
    for queue in ("mail", "post", "mail", "post", "free", "free"):
        store.jobs.submit(NewJob("noop", queue=queue, concurrency_key="a"))
    assert [one.queue for one in lease(10)] == ["mail", "post", "free", "free"]


def test_the_limits_of_the_queue_hold_too(store: Store, lease: LeaseSome, end: End) -> None:
    limit(store, 1, of_queue=2)
    a1, a2, b1, c1 = store.jobs.submit_many(mails("a", "a", "b", "c"))
    held = lease(10)
    assert ids(held) == [a1, b1]
    end(held[0])
    assert ids(lease(10)) == [a2]
    end(held[1])
    assert ids(lease(10)) == [c1]


def test_the_next_of_a_key_is_the_most_urgent_whenever_it_came(
    store: Store, lease: LeaseSome, end: End
) -> None:
    limit(store, 1)
    (running,) = store.jobs.submit_many(mails("a"))
    (held,) = lease(1)
    assert held.job_id == running
    low = store.jobs.submit_many(mails("a", "a"))
    high = store.jobs.submit_many(mails("a", "a", priority=5))
    (highest,) = store.jobs.submit_many(mails("a", priority=9))
    order = []
    for _ in range(5):
        end(held)
        (held,) = lease(1)
        order.append(held.job_id)
    assert order == [highest, *high, *low]


def test_room_for_a_job_that_may_be_leased_already_unparks_no_other(store: Store) -> None:
    limit(store, 1)
    _, second, third = store.jobs.submit_many(mails("a", "a", "a"))
    with store.write(durable=False):
        store.keys.look_at([("mail", "a")])
    assert parked(store) == [second, third]


def test_a_job_between_the_parked_ones_of_its_key_does_not_pass_the_first(
    store: Store, lease: LeaseSome, end: End
) -> None:
    """It may be leased when it comes, and there may be no lease that reads as far."""
    limit(store, 1)
    store.jobs.submit_many([*mails("a"), *[NewJob("noop", priority=7) for _ in range(3)]])
    (other,) = lease(1)
    (held,) = lease(1, ("mail",))
    first, second = store.jobs.submit_many(mails("a", "a", priority=5))
    assert lease(1, ("mail",)) == []
    (low,) = store.jobs.submit_many(mails("a", priority=1))
    assert parked(store) == [first, second]
    end(held)
    order = []
    for _ in range(3):
        (held,) = lease(1, ("mail",))
        order.append(held.job_id)
        end(held)
    assert order == [first, second, low]
    assert other


ENDINGS = [Ending.SUCCEEDED, Ending.FAILED, Ending.FAILED_PERMANENTLY, Ending.SNOOZED]


@pytest.mark.parametrize("ending", [*ENDINGS, Ending.CANCELLED, Ending.RELEASED])
def test_however_a_lease_ends_its_key_has_room_again_and_the_pools_are_rung(
    store: Store, lease: LeaseSome, end: End, ending: Ending
) -> None:
    limit(store, 1)
    first, second = store.jobs.submit_many(mails("a", "a"))
    (held,) = lease(10)
    bells = [store.bells.listen_pool(name) for name in ("default", "mail")]
    for bell in bells:
        bell.drain()
    end(held, ending, snooze_ms=60_000)
    assert [bell.drain() for bell in bells] == [True, True]
    comes_first = first if ending is Ending.RELEASED else second
    assert ids(lease(10)) == [comes_first]
    for bell in bells:
        bell.close()


def test_room_that_its_worker_takes_again_at_once_rings_for_nobody(
    store: Store, lease: LeaseSome, end: End
) -> None:
    limit(store, 1)
    store.jobs.submit_many(mails("a", "a"))
    (held,) = lease(10)
    with contextlib.closing(store.bells.listen_pool("mail")) as bell:
        bell.drain()
        with store.write(durable=True):
            end(held)
            assert len(lease(10)) == 1
        assert not bell.drain()


def test_the_end_of_a_job_without_others_of_its_key_rings_for_nobody(
    store: Store, lease: LeaseSome, end: End
) -> None:
    limit(store, 1)
    store.jobs.submit_many(mails("a", "b", "b"))
    held = lease(10)
    with contextlib.closing(store.bells.listen_pool("mail")) as bell:
        bell.drain()
        end(held[0])
        assert not bell.drain()


@pytest.mark.parametrize("how", ["crash", "expiry", "reboot", "not entered"])
def test_a_worker_that_is_gone_leaks_no_room(
    store: Store, lease: LeaseSome, clock, how: str
) -> None:
    limit(store, 1)
    first, second = store.jobs.submit_many(mails("a", "a"))
    (held,) = lease(10)
    assert (held.job_id, lease(10)) == (first, [])
    if how == "crash":
        store.leases.free("life-1", CellState(held.token, running=True))
    elif how == "not entered":
        store.leases.free("life-1", CellState(held.token - 1, running=False))
    elif how == "expiry":
        clock.advance(30_001)
        assert lease(10) == []  # it may still run
        store.leases.reclaim_expired()
    else:
        clock.boot = "boot-2"
        store.leases.void_other_boots()
    assert ids(lease(10)) == [first]
    assert lease(10) == []
    assert second in parked(store)


def test_a_batch_of_leases_takes_no_more_of_a_key_than_it_may(
    store: Store, another, holder: Holder
) -> None:
    limit(store, 2)
    store.jobs.submit_many(mails(*[f"key-{n % 3}" for n in range(60)]))
    workers, held = [store, another()], list[Lease]()
    for n in range(4):
        held += workers[n % 2].leases.lease(holder, ("*",), 4, 30_000)
    assert Counter(lease.concurrency_key for lease in held) == {f"key-{n}": 2 for n in range(3)}


def test_delayed_blocked_and_retried_jobs_wait_for_their_key_too(
    store: Store, lease: LeaseSome, end: End, clock
) -> None:
    limit(store, 1)
    (running,) = store.jobs.submit_many(mails("a", max_retries=1))
    (delayed,) = store.jobs.submit_many(mails("a", delay_ms=500))
    blocked = store.jobs.submit(mails("a")[0]._replace(depends_on=(running,))).job.id
    (held,) = lease(10)
    clock.advance(600)
    assert lease(10) == []
    assert parked(store) == [delayed]
    end(held, Ending.FAILED)  # again in 1 s
    (held,) = lease(10)
    assert held.job_id == delayed
    clock.advance(2_000)
    assert lease(10) == []
    end(held)
    (held,) = lease(10)
    assert held.job_id == running
    end(held)
    assert ids(lease(10)) == [blocked]
    assert store.maintenance.verify() == []


def test_a_cancelled_job_makes_room_for_the_next(store: Store, lease: LeaseSome, end: End) -> None:
    limit(store, 1)
    first, second, third = store.jobs.submit_many(mails("a", "a", "a"))
    store.jobs.cancel(first)
    store.jobs.cancel(third)
    assert ids(lease(10)) == [second]
    assert store.jobs.get(third).status is Status.CANCELLED
    store.jobs.retry(third)
    assert lease(10) == []
    assert parked(store) == [third]


def test_a_paused_queue_leaves_room_that_comes_free(
    store: Store, lease: LeaseSome, end: End
) -> None:
    limit(store, 1)
    jobs = store.jobs.submit_many(mails("a", "a"))
    (held,) = lease(10)
    store.queues.pause("mail")
    end(held)
    assert lease(10) == []
    store.queues.resume("mail")
    assert ids(lease(10)) == [jobs[1]]


# Other limits


@pytest.mark.parametrize("steps", [1, 200], ids=["a step at a time", "at once"])
def test_a_raised_limit_lets_more_run(store: Store, lease: LeaseSome, steps: int) -> None:
    store.keys.keys_at_once = steps
    limit(store, 1)
    store.jobs.submit_many(mails(*"aaaabbbbcccc"))
    assert len(lease(99)) == 3
    limit(store, 3)
    with contextlib.closing(store.bells.listen_pool("mail")) as bell:
        bell.drain()
        rings = [bell.drain() for _ in iter(store.keys.continue_sweep, False)]
        assert any(rings) or steps > 3
    assert Counter(one.concurrency_key for one in lease(99)) == {"a": 2, "b": 2, "c": 2}
    assert store.maintenance.verify() == []


def test_a_limit_that_is_removed_holds_nobody(
    store: Store, lease: LeaseSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_NO_LIMIT", 3)
    limit(store, 1, Rate(1, 3_600))
    store.jobs.submit_many(mails(*"aaaaaaaaab"))
    assert len(lease(99)) == 2
    store.queues.configure({})
    while store.keys.continue_sweep():
        pass
    assert (len(lease(99)), parked(store)) == (8, [])
    assert store.leases.next_due_ms() is None


def test_a_lowered_limit_lets_none_start_until_enough_have_ended(
    store: Store, lease: LeaseSome, end: End
) -> None:
    limit(store, 3)
    store.jobs.submit_many(mails(*"aaaaa"))
    held = lease(99)
    limit(store, 1)
    assert lease(99) == []
    end(held[0])
    end(held[1])
    assert lease(99) == []
    end(held[2])
    assert len(lease(99)) == 1


def test_a_limit_that_is_new_parks_the_backlog_some_at_a_time(
    store: Store, lease: LeaseSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_jobs, "_MOST_PARKED", 20)
    store.jobs.submit_many(mails(*"a" * 50, priority=1))
    (other,) = store.jobs.submit_many(mails("b"))
    limit(store, 1)
    monkeypatch.setattr("orpheus.shared.storage.verbs.due_jobs._MOST_LEFT_OUT", 5)
    with contextlib.closing(store.bells.listen_pool("mail")) as bell:
        bell.drain()
        first = lease(2)
        assert len(first) == 1
        assert bell.drain()  # it has not come to the other yet
        found = lease(2)
        while bell.drain():
            found += lease(2)
    assert ids(found) == [other]
    assert len(parked(store)) == 49


# What it costs


def test_the_parked_jobs_of_a_key_are_not_read_again(
    store: Store, lease: LeaseSome, end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(store, 1)
    store.jobs.submit_many(mails(*"a" * 3_000, priority=9))
    store.jobs.submit_many(mails(*"bbb"))
    lease(10)
    read = 0
    read_all = SqliteDatabase.all

    def noted(database: SqliteDatabase, sql: str, *values: Value) -> list[Row]:
        nonlocal read
        rows = read_all(database, sql, *values)
        read += len(rows)
        return rows

    monkeypatch.setattr(SqliteDatabase, "all", noted)
    assert lease(10) == []
    store.leases.is_work_due()
    assert read < 5


@pytest.mark.backends("sqlite")
def test_a_job_without_a_key_is_in_no_index_of_keys_and_costs_no_statement(
    store: Store, lease: LeaseSome, end: End
) -> None:
    store.jobs.submit_many([NewJob("noop")] * 3)
    statements: list[str] = []
    with handle_of(store) as connection:
        connection.set_profile(lambda sql, _: statements.append(sql))
        (held,) = lease(1)
        store.leases.finish([Finished(held, Ending.FAILED, error=JobError("ValueError", "no"))])
        store.jobs.submit(NewJob("noop"))
        connection.set_profile(None)
    texts = " ".join(statements)
    assert "key_rates" not in texts.replace("key_rates INDEXED BY key_rates_waiting", "")
    assert "jobs_parked" not in texts
    assert "jobs_of_key" not in texts


def test_verify_finds_jobs_that_are_parked_though_their_key_has_room(
    store: Store, lease: LeaseSome, end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(store, 1)
    store.jobs.submit_many(mails("a", "a"))
    (held,) = lease(10)
    assert store.maintenance.verify() == []
    monkeypatch.setattr(keys.Keys, "look_at", lambda self, keys: None)
    end(held)
    assert store.maintenance.verify() == [
        "I21: queue mail, key a: jobs are parked, but 0 of 1 run or may be leased"
    ]
