"""Batches: what is stored of each job, and how many statements it takes."""

import json
import re

import pytest

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import JobError, Lease, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import UniqueKeyHeld
from orpheus.shared.storage import Store
from tests.contract.conftest import LeaseSome, Submit
from tests.sqlite_handle import handle_of

# As many as one statement inserts, and one job more than several smaller statements do.
SIZES = (1, 15, 16, 17, 256, 273, 300)


@pytest.mark.parametrize("size", SIZES)
def test_each_job_of_a_batch_is_stored_as_it_was_given(store: Store, size: int) -> None:
    batch = [
        NewJob(
            f"type_{n}",
            json.dumps({"n": n}),
            f"queue_{n % 3}",
            n % 5,
            delay_ms=n % 2 * 5_000,
            max_retries=n % 4,
            timeout_s=1.5 + n,
            unique_key=f"key_{n}" if n % 7 == 0 else None,
            tags=("odd", "number") if n % 2 else (),
        )
        for n in range(size)
    ]
    ids = store.jobs.submit_many(batch)
    assert ids == sorted(set(ids))
    for new, job_id in zip(batch, ids, strict=True):
        job = store.jobs.get(job_id)
        assert (job.type, job.payload, job.queue, job.priority) == new[:4]
        assert job.run_at_ms - job.created_at_ms == new.delay_ms
        assert (job.max_retries, job.timeout_s, job.unique_key, job.tags) == new[6:10]
    assert store.stats.counts()[Status.PENDING] == size
    assert [event.job_id for event in store.events.after(0, 1_000)] == ids


def test_a_key_is_one_job_whether_it_is_held_or_twice_in_the_batch(store: Store) -> None:
    held = store.jobs.submit(NewJob("noop", unique_key="held")).job.id
    batch = [
        NewJob("noop"),
        NewJob("noop", unique_key="new"),
        NewJob("noop", unique_key="held"),
        NewJob("noop", unique_key="new", tags=("never",)),
        NewJob("noop"),
    ]
    first, new, old, again, last = store.jobs.submit_many(batch)
    assert (old, again) == (held, new)
    assert (first, new, last) == (held + 1, held + 2, held + 3)
    assert (store.jobs.get(new).type, store.jobs.get(new).tags) == ("noop", ())
    assert store.stats.counts()[Status.PENDING] == 4


def test_a_key_of_another_type_refuses_all_that_is_submitted_with_it(store: Store) -> None:
    held = store.jobs.submit(NewJob("mail", unique_key="order-500")).job
    why = f"unique_key: 'order-500' is held by job {held.id}, which is of another type: mail"
    bill = NewJob("bill", unique_key="order-500")
    with pytest.raises(UniqueKeyHeld, match=re.escape(why)) as one:
        store.jobs.submit(bill)
    assert [problem.pointer for problem in one.value.problems] == ["/unique_key"]
    with pytest.raises(UniqueKeyHeld, match=re.escape(f"jobs.1.{why}")) as many:
        store.jobs.submit_many([NewJob("noop"), bill, NewJob("mail", unique_key="order-500")])
    assert [problem.pointer for problem in many.value.problems] == ["/jobs/1/unique_key"]
    with pytest.raises(UniqueKeyHeld, match=r"jobs\.1.*'a' is held by a job that is .* with it"):
        store.jobs.submit_many([NewJob("noop", unique_key="a"), NewJob("bill", unique_key="a")])
    assert store.stats.counts()[Status.PENDING] == 1
    store.jobs.cancel(held.id)
    assert store.jobs.submit(bill).created, "the key of a job that has ended is free"


def test_a_child_whose_key_is_of_another_type_fails_its_parent_only(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    held = store.jobs.submit(NewJob("mail", unique_key="k", delay_ms=9)).job.id
    for key in ("own", None, None, None, None):
        submit(unique_key=key)
    one, two, three, four, five = lease(5)

    def done(lease: Lease, type: str, key: str) -> Finished:
        children = (NewJob("first"), NewJob(type, unique_key=key))
        return Finished(lease, Ending.SUCCEEDED, "1", children=children)

    ended = [
        done(one, "bill", "own"),  # the key of its parent, which has ended by then
        done(two, "bill", "k"),
        done(three, "mail", "k"),
        done(four, "bill", "new"),
        done(five, "mail", "new"),
    ]
    assert store.leases.finish(ended) == set()
    jobs = [store.jobs.get(one.lease.job_id) for one in ended]
    where, other = "enqueue: children.1.unique_key: ", "which is of another type: "
    assert [job.error and job.error.message for job in jobs] == [
        None,
        f"{where}'k' is held by job {held}, {other}mail",
        None,
        None,
        f"{where}'new' is held by a job that is submitted with it, {other}bill",
    ]
    assert [job.status for job in jobs].count(Status.FAILED) == 2
    bills = [job for job in store.jobs.page(JobFilter(), 99) if job.type == "bill"]
    assert {job.unique_key for job in bills} == {"own", "new"}


def test_whether_a_child_may_have_a_key_does_not_depend_on_what_is_reported_with_it(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    for key in ("of one that is done", "of one that fails", "of one that is refused", *"abcde"):
        submit(unique_key=key)
    done, fails, refused, *parents, lost = lease(8)

    def parent(lease: Lease, type: str, key: str) -> Finished:
        children = (NewJob(type, unique_key=key),)
        return Finished(lease, Ending.SUCCEEDED, "1", children=children)

    ended = [
        parent(parents[0], "bill", "of one that is done"),
        parent(parents[1], "bill", "of one that fails"),
        Finished(done, Ending.SUCCEEDED, "1"),
        Finished(fails, Ending.FAILED_PERMANENTLY, error=JobError("E", "")),
        parent(refused, "bill", "e"),
        parent(parents[2], "bill", "of one that is refused"),
        parent(lost._replace(token=lost.token + 99), "mail", "new"),
        parent(parents[3], "bill", "new"),
    ]
    assert store.leases.finish(ended) == {lost.token + 99}
    assert [store.jobs.get(one.job_id).error for one in parents] == [None] * 4
    assert store.jobs.get(refused.job_id).status is Status.FAILED, "the key is of one that runs"
    assert store.jobs.get(lost.job_id).status is Status.IN_PROGRESS
    assert sum(job.type == "bill" for job in store.jobs.page(JobFilter(), 99)) == 4


def test_an_item_may_wait_for_one_that_a_key_gives(store: Store) -> None:
    held = store.jobs.submit(NewJob("noop", unique_key="held")).job.id
    batch = [
        NewJob("noop", depends_on=("holder", "later")),
        NewJob("noop", unique_key="held", ref="holder", depends_on=(held,)),
        NewJob("noop", ref="later"),
    ]
    waiting, holder, later = store.jobs.submit_many(batch)
    assert store.jobs.get(waiting).depends_on == (holder, later) == (held, later)
    assert store.jobs.get(held).depends_on == (), "it is as it was"


def test_jobs_of_several_clients_are_answered_each_as_if_it_were_alone(store: Store) -> None:
    held = store.jobs.submit(NewJob("noop", unique_key="held")).job
    free, old, new, again = store.jobs.submit_each(
        [
            NewJob("noop", depends_on=(held.id,)),
            NewJob("noop", unique_key="held", depends_on=(99,)),
            NewJob("noop", unique_key="new"),
            NewJob("noop", unique_key="new"),
        ]
    )
    assert (free.job.status, free.job.depends_on) == (Status.BLOCKED, (held.id,))
    assert (old.job, again.job) == (held, new.job)
    assert [one.created for one in (free, old, new, again)] == [True, False, True, False]


@pytest.mark.backends("sqlite")
def test_a_large_batch_takes_few_statements(store: Store) -> None:
    """After each statement the thread may wait for Python, while others wait for the write lock."""
    statements: list[str] = []

    def note(_: object, sql: str, __: object) -> bool:
        statements.append(sql)
        return True

    with handle_of(store) as connection:
        connection.exec_trace = note
    ids = store.jobs.submit_many([NewJob("noop", unique_key=f"k{n}") for n in range(10_000)])
    assert len(statements) < 10_000 / 200
    assert len(store.events.of_job(ids[-1], 10)) == 1
    assert store.events.of_job(ids[-1], 10)[0].kind is Kind.JOB_ENQUEUED
