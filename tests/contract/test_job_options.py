"""What a job may be asked: expiry, keys that stay taken, replacing, a retention of its own."""

import json
from collections import Counter

import pytest

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import JobError, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.rates import KeyRules, QueueRules
from orpheus.shared.errors import NotFound, TransitionRefused, UniqueKeyHeld
from orpheus.shared.storage import Store
from tests.contract.conftest import End, Fail, LeaseSome, Submit, ids

HOUR_MS = 3_600_000
LARGE = json.dumps({"text": "x" * 2_000})


def status_of(store: Store, job_id: int) -> Status:
    return store.jobs.get(job_id).status


# expires


def test_a_job_that_has_not_started_in_time_is_cancelled_with_the_reason(
    store: Store, clock, submit: Submit, lease: LeaseSome
) -> None:
    expiring, other = submit(expires_ms=1_000), submit()
    clock.advance(999)
    assert not store.jobs.cancel_expired()
    clock.advance(1)
    assert ids(lease(5)) == [other], "upkeep may not have cancelled it yet: it must not start"
    assert store.leases.was_contended, "a worker looks again soon"
    assert store.jobs.cancel_expired()
    assert not store.jobs.cancel_expired()
    job = store.jobs.get(expiring)
    assert (job.status, job.was_cancelled) == (Status.CANCELLED, False)
    assert job.error == JobError("Expired", "it was not started by 2027-01-15T08:00:01.000Z")
    assert [event.kind for event in store.events.of_job(expiring, 10)][-1] == Kind.JOB_CANCELLED
    assert store.stats.counts()[Status.PENDING] == 0


def test_the_time_of_a_delayed_job_begins_when_it_is_due(
    store: Store, clock, submit: Submit, lease: LeaseSome
) -> None:
    job_id = submit(delay_ms=HOUR_MS, expires_ms=1_000)
    clock.advance(HOUR_MS)
    assert not store.jobs.cancel_expired()
    assert ids(lease(1)) == [job_id]


def test_a_job_that_has_started_no_longer_expires(
    store: Store, clock, submit: Submit, lease: LeaseSome, fail: Fail
) -> None:
    job_id = submit(expires_ms=1_000)
    (held,) = lease(1)
    clock.advance(2_000)
    assert not store.jobs.cancel_expired()
    store.leases.finish([Finished(held, Ending.SNOOZED, snooze_ms=0)])
    assert not store.jobs.cancel_expired()
    assert ids(lease(1)) == [job_id]


def test_a_job_that_was_given_back_before_it_was_entered_expires(
    store: Store, clock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    job_id = submit(expires_ms=1_000)
    (held,) = lease(1)
    end(held, Ending.UNENTERED)
    clock.advance(2_000)
    assert store.jobs.cancel_expired()
    assert status_of(store, job_id) is Status.CANCELLED


def test_an_expired_job_that_an_operator_retries_runs(
    store: Store, clock, submit: Submit, lease: LeaseSome
) -> None:
    job_id = submit(expires_ms=1_000)
    clock.advance(2_000)
    store.jobs.cancel_expired()
    assert store.jobs.retry(job_id).error is None
    assert ids(lease(1)) == [job_id]


def test_what_waits_for_an_expired_job_is_told(store: Store, clock, submit: Submit) -> None:
    first = submit(expires_ms=1_000)
    cancelled = submit(depends_on=(first,))
    runs = submit(depends_on=(first,), on_dependency_failure="run")
    clock.advance(1_000)
    store.jobs.cancel_expired()
    assert [status_of(store, job_id) for job_id in (cancelled, runs)] == ["cancelled", "pending"]


def test_a_blocked_job_expires_and_what_it_waited_for_ends_without_it(
    store: Store, clock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    first = submit()
    blocked = submit(depends_on=(first,), expires_ms=1_000)
    clock.advance(1_000)
    assert store.jobs.cancel_expired()
    assert status_of(store, blocked) is Status.CANCELLED
    end(lease(1)[0])
    assert (status_of(store, first), status_of(store, blocked)) == ("done", "cancelled")


def test_more_expired_jobs_than_one_transaction_cancels_are_all_cancelled(
    store: Store, clock
) -> None:
    expires = NewJob("noop", expires_ms=1_000, concurrency_key="k", queue="q")
    store.jobs.submit_many([expires] * 700)
    clock.advance(1_000)
    while store.jobs.cancel_expired():
        pass
    jobs = store.jobs.page(JobFilter(), 1_000)
    assert Counter(job.status for job in jobs) == {Status.CANCELLED: 700}
    assert store.stats.counts()[Status.CANCELLED] == 700


# unique_for


@pytest.mark.parametrize("how", ["done", "cancelled"])
def test_a_key_stays_taken_after_the_end_of_its_job(
    store: Store, clock, lease: LeaseSome, end: End, how: str
) -> None:
    new = NewJob("noop", unique_key="k", unique_for_ms=HOUR_MS)
    first = store.jobs.submit(new).job
    if how == "done":
        end(lease(1)[0])
    else:
        store.jobs.cancel(first.id)
    clock.advance(HOUR_MS - 1)
    again = store.jobs.submit(new)
    assert (again.job.id, again.created, again.job.status) == (first.id, False, how)
    assert store.jobs.submit_many([new, NewJob("noop")])[0] == first.id
    with pytest.raises(UniqueKeyHeld):
        store.jobs.submit(NewJob("another", unique_key="k"))
    clock.advance(1)
    assert store.jobs.submit(new).created


def test_a_job_that_holds_its_key_after_its_end_can_be_retried(store: Store) -> None:
    job = store.jobs.submit(NewJob("noop", unique_key="k", unique_for_ms=HOUR_MS)).job
    store.jobs.cancel(job.id)
    assert store.jobs.retry(job.id).status is Status.PENDING
    store.jobs.cancel(job.id)
    store.jobs.delete(job.id)
    other = store.jobs.submit(NewJob("noop", unique_key="k"))
    assert other.created, "a key goes with its job"


def test_a_key_that_a_live_job_holds_still_refuses_a_retry(store: Store, clock) -> None:
    old = store.jobs.submit(NewJob("noop", unique_key="k", unique_for_ms=1_000)).job
    store.jobs.cancel(old.id)
    clock.advance(1_000)
    assert store.jobs.submit(NewJob("noop", unique_key="k")).created
    with pytest.raises(TransitionRefused, match="is live with the same unique key"):
        store.jobs.retry(old.id)


def test_a_child_with_the_key_of_its_ending_parent_is_not_made_while_the_key_is_taken(
    store: Store, clock, lease: LeaseSome
) -> None:
    new = NewJob("noop", unique_key="k", unique_for_ms=HOUR_MS)
    first = store.jobs.submit(new).job.id
    (held,) = lease(1)
    store.leases.finish([Finished(held, Ending.SUCCEEDED, "null", children=(new,))])
    assert store.stats.counts()[Status.PENDING] == 0
    assert store.jobs.submit(new).job.id == first


# on_duplicate


def test_a_job_that_has_not_started_takes_the_new_payload_and_time(
    store: Store, clock, lease: LeaseSome
) -> None:
    first = store.jobs.submit(
        NewJob("noop", '{"n": 1}', unique_key="k", delay_ms=5_000, tags=("a",), priority=3)
    ).job
    clock.advance(4_000)
    new = NewJob("noop", LARGE, unique_key="k", delay_ms=5_000, replaces=True, expires_ms=100)
    again = store.jobs.submit(new)
    assert (again.job.id, again.created, again.job.payload) == (first.id, False, LARGE)
    assert (again.job.run_at_ms, again.job.expires_ms) == (clock.wall + 5_000, clock.wall + 5_100)
    assert (again.job.tags, again.job.priority) == (("a",), 3), "all else stays"
    kinds = [event.kind for event in store.events.of_job(first.id, 10)]
    assert kinds == [Kind.JOB_ENQUEUED, Kind.JOB_REQUEUED]
    clock.advance(1_000)
    assert lease(1) == [], "it is not due at its first time"
    back = store.jobs.submit(NewJob("noop", '{"n": 2}', unique_key="k", replaces=True)).job
    assert back.payload == '{"n": 2}'
    (held,) = lease(1)
    assert (held.job_id, held.payload) == (first.id, '{"n": 2}')


def test_a_job_that_has_started_stays_as_it_is(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    new = NewJob("noop", '{"n": 1}', unique_key="k")
    first = store.jobs.submit(new).job.id
    (held,) = lease(1)
    later = new._replace(payload='{"n": 2}', replaces=True)
    assert store.jobs.submit(later).job.payload == '{"n": 1}'
    store.leases.finish([Finished(held, Ending.SNOOZED, snooze_ms=5_000)])
    answer = store.jobs.submit(later)
    assert (answer.job.id, answer.job.payload) == (first, '{"n": 1}')


def test_a_batch_replaces_in_its_order(store: Store) -> None:
    held = store.jobs.submit(NewJob("noop", '{"n": 0}', unique_key="held")).job.id
    batch = [
        NewJob("noop", f'{{"n": {n}}}', unique_key=key, replaces=n > 1)
        for n, key in enumerate(["new", "held", "held", "new", "new"])
    ]
    made = store.jobs.submit_many(batch)
    assert made[1:3] == [held, held]
    assert made[0] == made[3] == made[4]
    assert store.jobs.get(made[0]).payload == '{"n": 4}'
    assert store.jobs.get(held).payload == '{"n": 2}'
    each = store.jobs.submit_each(
        [NewJob("noop", f'{{"n": {n}}}', unique_key="held", replaces=True) for n in (7, 8)]
    )
    assert [submitted.created for submitted in each] == [False, False]
    assert store.jobs.get(held).payload == '{"n": 8}'


def test_a_blocked_job_is_replaced_and_still_waits(store: Store, submit: Submit) -> None:
    first = submit()
    new = NewJob("noop", unique_key="k", depends_on=(first,))
    blocked = store.jobs.submit(new).job
    store.jobs.submit(NewJob("noop", '{"n": 2}', unique_key="k", replaces=True))
    job = store.jobs.get(blocked.id)
    assert (job.status, job.payload, job.depends_on) == ("blocked", '{"n": 2}', (first,))


def test_a_replaced_job_waits_for_its_key_again(
    store: Store, another, clock, lease: LeaseSome
) -> None:
    store.queues.configure({"q": QueueRules(per_key=KeyRules(max_running=1))})
    running = store.jobs.submit(NewJob("noop", queue="q", concurrency_key="c")).job.id
    parked = NewJob("noop", queue="q", concurrency_key="c", unique_key="k")
    waiting = store.jobs.submit(parked).job.id
    assert ids(lease(5)) == [running]
    store.jobs.submit(parked._replace(payload='{"n": 2}', replaces=True))
    assert lease(5) == []
    assert status_of(store, waiting) is Status.PENDING


# retention


def sweep(store: Store, rules: RetentionRules) -> None:
    while store.retention.step(rules):
        pass


def left_of(store: Store, job_ids: list[int]) -> list[int]:
    left = []
    for job_id in job_ids:
        try:
            store.jobs.get(job_id)
        except NotFound:
            continue
        left.append(job_id)
    return left


def test_a_done_job_is_kept_as_long_as_it_says(
    store: Store, clock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    rules = RetentionRules(done_s=100, failed_s=100, cancelled_s=100)
    gone, short, usual, long = jobs = [submit(retention_ms=ms) for ms in (0, 10_000, None, 200_000)]
    failed = submit(retention_ms=0)
    *succeed, fails = lease(5)
    for held in succeed:
        end(held)
    end(fails, Ending.FAILED_PERMANENTLY)
    for seconds, left in ((0.001, [short, usual, long]), (10, [usual, long]), (90, [long])):
        clock.advance(round(seconds * 1_000))
        sweep(store, rules)
        assert left_of(store, jobs) == left
        assert bool(left_of(store, [failed])) == (seconds < 90), "a failed job says nothing by it"
    clock.advance(60_000)
    sweep(store, rules)
    assert left_of(store, jobs) == [long]
    clock.advance(60_000)
    sweep(store, rules)
    assert left_of(store, jobs) == []
    assert store.stats.counts()[Status.DONE] == 0
    assert gone


def test_a_job_is_kept_as_long_as_it_holds_its_key(
    store: Store, clock, lease: LeaseSome, end: End
) -> None:
    rules = RetentionRules(done_s=0)
    for retention_ms in (None, 0):
        new = NewJob("noop", unique_key="k", unique_for_ms=HOUR_MS, retention_ms=retention_ms)
        job_id = store.jobs.submit(new).job.id
        end(lease(1)[0])
        clock.advance(HOUR_MS // 2)
        sweep(store, rules)
        assert left_of(store, [job_id]) == [job_id]
        clock.advance(HOUR_MS)
        sweep(store, rules)
        assert left_of(store, [job_id]) == []


def test_a_retried_job_is_kept_from_its_new_end(
    store: Store, clock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    job_id = submit(retention_ms=0)
    end(lease(1)[0], Ending.FAILED_PERMANENTLY)
    store.jobs.retry(job_id)
    clock.advance(5_000)
    sweep(store, RetentionRules())
    assert left_of(store, [job_id]) == [job_id]


# retry_on, unique_key=


def test_a_retry_waits_as_long_as_its_error_says(
    store: Store, clock, submit: Submit, lease: LeaseSome
) -> None:
    job_id = submit(max_retries=1)
    for retry_ms, status in ((5_000, Status.PENDING), (5_000, Status.FAILED)):
        (held,) = lease(1)
        error = JobError("TimeoutError", "")
        store.leases.finish([Finished(held, Ending.FAILED, error=error, retry_ms=retry_ms)])
        assert status_of(store, job_id) is status
        if status is Status.PENDING:
            assert store.jobs.get(job_id).run_at_ms == clock.wall + 5_000
        clock.advance(5_000)


def test_jobs_are_found_by_their_unique_key(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    first = submit(unique_key="k")
    end(lease(1)[0])
    second, _ = submit(unique_key="k"), submit(unique_key="other")
    wanted = JobFilter(unique_key="k")
    assert [job.id for job in store.jobs.page(wanted, 10)] == [second, first]
    assert store.lists.total(wanted).value == 2
    both = JobFilter(unique_key="k", status=Status.DONE)
    assert [job.id for job in store.jobs.page(both, 10)] == [first]


def test_a_parked_job_may_be_given_a_later_time(store: Store, clock, lease: LeaseSome) -> None:
    store.queues.configure({"q": QueueRules(per_key=KeyRules(max_running=1))})
    new = NewJob("noop", queue="q", concurrency_key="c", unique_key="k")
    store.jobs.submit(new._replace(unique_key=None))
    lease(1)
    parked = store.jobs.submit(new).job.id
    assert lease(1) == []
    store.jobs.submit(new._replace(replaces=True, delay_ms=HOUR_MS))
    assert store.jobs.get(parked).run_at_ms == clock.wall + HOUR_MS


def test_a_large_payload_takes_the_place_of_another(store: Store) -> None:
    new = NewJob("noop", LARGE, unique_key="k", delay_ms=HOUR_MS)
    first = store.jobs.submit(new).job.id
    other = LARGE.replace("x", "y")
    store.jobs.submit(new._replace(payload=other, replaces=True))
    assert store.jobs.get(first).payload == other


def test_a_replaced_job_rings_as_its_time_may_be_earlier(store: Store) -> None:
    new = NewJob("noop", unique_key="k", delay_ms=HOUR_MS)
    store.jobs.submit(new)
    bell = store.bells.listen_pool("default")
    store.jobs.submit(new._replace(replaces=True, delay_ms=0))
    assert bell.drain()
    bell.close()


def test_a_child_of_another_type_is_refused_while_its_ended_parent_holds_the_key(
    store: Store, lease: LeaseSome
) -> None:
    parent = NewJob("noop", unique_key="k", unique_for_ms=HOUR_MS)
    job_id = store.jobs.submit(parent).job.id
    (held,) = lease(1)
    child = NewJob("another", unique_key="k")
    store.leases.finish([Finished(held, Ending.SUCCEEDED, "null", children=(child,))])
    job = store.jobs.get(job_id)
    assert job.status is Status.FAILED
    assert job.error is not None and "which is of another type" in job.error.message


def test_a_key_goes_on_with_its_next_job_when_the_one_that_could_start_expires(
    store: Store, clock, lease: LeaseSome, end: End
) -> None:
    store.queues.configure({"q": QueueRules(per_key=KeyRules(max_running=1))})
    new = NewJob("noop", queue="q", concurrency_key="c")
    running = store.jobs.submit(new).job.id
    first = store.jobs.submit(new._replace(expires_ms=1_000)).job.id
    second = store.jobs.submit(new).job.id
    (held,) = lease(5)
    assert (held.job_id, lease(5)) == (running, [])
    end(held)
    clock.advance(1_000)
    assert store.jobs.cancel_expired()
    assert status_of(store, first) is Status.CANCELLED
    assert ids(lease(5)) == [second]


def test_a_key_goes_on_with_its_next_job_when_the_one_that_could_start_is_put_off(
    store: Store, lease: LeaseSome, end: End
) -> None:
    store.queues.configure({"q": QueueRules(per_key=KeyRules(max_running=1))})
    new = NewJob("noop", queue="q", concurrency_key="c")
    running = store.jobs.submit(new).job.id
    first = store.jobs.submit(new._replace(unique_key="k")).job.id
    second = store.jobs.submit(new).job.id
    (held,) = lease(5)
    assert (held.job_id, lease(5)) == (running, [])
    end(held)
    put_off = new._replace(unique_key="k", replaces=True, delay_ms=HOUR_MS)
    assert store.jobs.submit(put_off).job.id == first
    assert ids(lease(5)) == [second]
