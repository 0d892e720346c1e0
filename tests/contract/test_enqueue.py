"""Batches: what is stored of each job, and how many statements it takes."""

import json

import pytest

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store
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
        NewJob("other", unique_key="new", tags=("never",)),
        NewJob("noop"),
    ]
    first, new, old, again, last = store.jobs.submit_many(batch)
    assert (old, again) == (held, new)
    assert (first, new, last) == (held + 1, held + 2, held + 3)
    assert (store.jobs.get(new).type, store.jobs.get(new).tags) == ("noop", ())
    assert store.stats.counts()[Status.PENDING] == 4


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
            NewJob("other", unique_key="held", depends_on=(99,)),
            NewJob("noop", unique_key="new"),
            NewJob("other", unique_key="new"),
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
