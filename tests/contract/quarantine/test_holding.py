"""A quarantined type is held back as a whole, and nothing else is."""

import contextlib

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, Lease, NewJob, Status
from orpheus.shared.domain.rates import KeyRules, QueueRules
from orpheus.shared.storage import BulkAction, Store
from tests.contract.conftest import End, FakeClock, LeaseSome, Submit, ids
from tests.contract.quarantine.conftest import AFTER, Crash, parked, quarantined

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
    store: Store, submit: Submit, lease: LeaseSome, statements: list[str]
) -> None:
    """And with a quarantined type only if it meets a job of it."""

    def taken() -> int:
        submit("good")
        statements.clear()
        assert len(lease(1)) == 1
        return len(statements)

    quarantined_ones = taken()
    store.quarantines.release("bad")
    assert quarantined_ones == taken()
