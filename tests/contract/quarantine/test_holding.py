"""A quarantined type is held back as a whole, and nothing else is."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, Lease, NewJob, Status
from orpheus.shared.domain.quarantine import Held
from orpheus.shared.domain.rates import KeyRules, QueueRules
from orpheus.shared.storage import BulkAction, Store
from orpheus.shared.storage.verbs import quarantines as verbs
from tests.contract.conftest import FakeClock
from tests.contract.quarantine.conftest import (
    AFTER,
    Crash,
    End,
    LeaseSome,
    Submit,
    ids,
    parked,
    quarantined,
)

# How it is held back


SERVED = [("*",), ("default",), ("default", "mail")]


@pytest.mark.parametrize("queues", SERVED, ids=str)
@pytest.mark.parametrize("limited", [False, True], ids=["", "with limits"])
@pytest.mark.usefixtures("bad")
def test_no_job_of_the_type_is_leased_and_all_others_are(
    store: Store, submit: Submit, lease: LeaseSome, queues: tuple[str, ...], limited: bool
) -> None:
    if limited:
        store.queues.configure({"default": QueueRules(max_running=50), "mail": QueueRules(True)})
    jobs = [submit(name) for _ in range(5) for name in ("bad", "good")]
    first = lease(2, queues)
    assert ids(first) == jobs[1:4:2]
    assert ids(lease(9, queues)) == jobs[5::2]
    assert lease(9, queues) == []
    assert parked(store) == jobs[::2]
    assert not store.leases.is_work_due()
    assert {store.jobs.get(one).status for one in jobs[::2]} == {Status.PENDING}
    assert store.maintenance.verify() == []


@pytest.mark.usefixtures("bad")
def test_it_is_known_how_many_of_its_jobs_are_held_back_in_which_queues(
    store: Store, submit: Submit, lease: LeaseSome, clock: FakeClock
) -> None:
    since_ms = clock.wall_ms()
    submit("bad", queue="mail")
    clock.advance(500)
    for queue in ("mail", "media"):
        submit("bad", queue=queue)
    submit("good", queue="other")
    assert store.quarantines.held(("mail", "media", "other")) == {}
    lease(9)
    assert store.quarantines.held(("mail", "media", "other")) == {
        "mail": [Held("bad", 2, since_ms, is_all=True)],
        "media": [Held("bad", 1, since_ms + 500, is_all=True)],
    }
    store.quarantines.release("bad")
    assert store.quarantines.held(("mail", "media")) == {}


@pytest.mark.usefixtures("bad")
def test_a_queue_whose_jobs_are_held_back_behind_many_of_another_one_is_found(
    store: Store, submit: Submit, lease: LeaseSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a type, a bounded number of jobs is read: then the queues that they may be in are."""
    monkeypatch.setattr(verbs, "_MOST_LOOKED_AT", 20)
    submit("good", queue="mail")
    store.jobs.submit_many([NewJob("bad")] * 21)
    lease(9)
    for _ in range(3):
        submit("bad", queue="mail", priority=-1)
    submit("bad", queue="mail", priority=-1, delay_ms=9_000)
    while store.leases.is_work_due():
        lease(9)
    known = store.quarantines.held(("mail", "default"))
    assert [(one.type, one.jobs, one.is_all) for one in known["mail"]] == [("bad", 3, False)]
    (default,) = known["default"]
    assert (default.jobs, default.is_all) == (21, False)


@pytest.mark.usefixtures("bad")
def test_of_two_samples_of_held_jobs_the_longest_wait_is_told(
    store: Store,
    submit: Submit,
    lease: LeaseSome,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verbs, "_MOST_LOOKED_AT", 4)
    since_ms = clock.wall_ms()
    for n in range(30):
        is_first = n in (
            13,
            14,
            15,
            16,
        )  # the first of the type, not the newest or oldest of the queue
        submit("bad", priority=9 if is_first else 0, delay_ms=0 if is_first else 5_000)
    clock.advance(6_000)
    while store.leases.is_work_due():
        lease(9)
    monkeypatch.setattr(verbs, "_MOST_OF_QUEUE", 7)
    (held,) = store.quarantines.held(("default",))["default"]
    assert (held.jobs > 4, held.since_ms, held.is_all) == (True, since_ms, False)


@pytest.mark.usefixtures("bad")
def test_each_job_of_the_type_is_met_once_and_never_many_in_one_transaction(
    store: Store, lease: LeaseSome
) -> None:
    store.jobs.submit_many([NewJob("bad")] * 1000)
    (good,) = store.jobs.submit_many([NewJob("good")])
    turns, found = [], list[Lease]()
    with contextlib.closing(store.bells.listen_pool("default")) as bell:
        while not found:
            before = len(parked(store))
            bell.drain()
            found = lease(1)
            turns.append(len(parked(store)) - before)
            assert found or bell.drain(), "nobody would go on"
    assert ids(found) == [good]
    assert sum(turns) == 1000
    assert max(turns) < 600


@pytest.mark.usefixtures("bad")
def test_delayed_blocked_and_retried_jobs_of_the_type_are_held_back_when_their_time_comes(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock: FakeClock, bad: list[int]
) -> None:
    delayed = submit("bad", delay_ms=500)
    first = submit("good")
    blocked = submit("bad", depends_on=(first,))
    assert store.jobs.retry(bad[0]).status is Status.PENDING
    (held,) = lease(9)
    end(held)
    clock.advance(600)
    assert lease(9) == []
    assert parked(store) == sorted([bad[0], delayed, blocked])
    assert store.jobs.run_now(delayed).status is Status.PENDING
    assert lease(9) == []


def test_a_lease_that_began_before_may_end_and_what_crashed_is_held_back(
    store: Store, submit: Submit, crash: Crash, end: End
) -> None:
    earlier = submit("bad")
    (held,) = store.leases.lease(Holder("w", "life", 1), ("*",), 1, 30_000)
    again = [crash(priority=n) for n in range(1, AFTER + 1)]
    assert quarantined(store) == ["bad"]
    assert end(held)
    assert store.jobs.get(earlier).status is Status.DONE
    assert store.leases.lease(Holder("w", "life", 1), ("*",), 9, 30_000) == []
    assert parked(store) == ids(again)


@pytest.mark.usefixtures("bad")
def test_a_key_whose_next_job_is_held_back_goes_on_with_the_one_behind_it(
    store: Store, lease: LeaseSome, end: End
) -> None:
    store.queues.configure({"mail": QueueRules(per_key=KeyRules(1))})
    names = ("bad", "bad", "good", "bad", "good")
    jobs = store.jobs.submit_many(
        [NewJob(name, queue="mail", concurrency_key="a") for name in names]
    )
    (held,) = lease(9)
    assert held.job_id == jobs[2]
    end(held)
    (held,) = lease(9)
    assert held.job_id == jobs[4]
    assert parked(store) == [jobs[0], jobs[1], jobs[3]]
    end(held)
    store.quarantines.release("bad")
    assert ids(lease(9)) == [jobs[0]]
    assert store.maintenance.verify() == []


@pytest.mark.usefixtures("bad")
def test_held_jobs_are_cancelled_retried_and_deleted_like_any_other(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    jobs = [submit("bad") for _ in range(4)]
    assert lease(9) == []
    store.jobs.cancel(jobs[0])
    assert store.bulk.change(BulkAction.CANCEL, JobFilter(type="bad"), by="tests") == 3
    assert parked(store) == []
    assert store.bulk.change(BulkAction.DELETE, JobFilter(type="bad"), by="tests") == 4 + AFTER
    assert store.maintenance.verify() == []


@pytest.mark.usefixtures("bad")
def test_while_nothing_is_quarantined_a_lease_takes_no_statement_more(
    store: Store, submit: Submit, lease: LeaseSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with a quarantined type only if it meets a job of it."""
    statements: list[str] = []
    for name in ("all", "one", "run", "run_many", "send"):
        verb = getattr(store._database, name)

        def noted(sql: str, *values: Any, verb: Callable[..., Any] = verb) -> Any:
            statements.append(sql)
            return verb(sql, *values)

        monkeypatch.setattr(store._database, name, noted)

    def taken() -> int:
        submit("good")
        statements.clear()
        assert len(lease(1)) == 1
        return len(statements)

    quarantined_ones = taken()
    store.quarantines.release("bad")
    assert quarantined_ones == taken()
