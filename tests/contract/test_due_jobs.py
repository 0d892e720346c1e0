"""The next jobs of many queues are those that a sort of all would give, and cost as few reads."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.rates import QueueRules
from orpheus.shared.storage import Store
from orpheus.shared.storage.database import Row, Value
from orpheus.shared.storage.sqlite.connection import SqliteDatabase
from orpheus.shared.storage.verbs import due_jobs
from tests.contract.conftest import LeaseSome

RULES = {
    "q0": QueueRules(paused=True),
    "q1": QueueRules(max_running=1),
    "q2": QueueRules(max_running=3),
}


def expected(
    jobs: Sequence[tuple[int, str, int]], served: tuple[str, ...], limit: int
) -> list[int]:
    """Sort (id, queue, priority) and leave out what has no room."""
    room = {"q0": 0, "q1": 1, "q2": 3}
    chosen = []
    for job_id, queue, _ in sorted(jobs, key=lambda job: (-job[2], job[0])):
        if ("*" in served or queue in served) and room.get(queue, limit) > 0:
            room[queue] = room.get(queue, limit) - 1
            chosen.append(job_id)
    return chosen[:limit]


@pytest.mark.parametrize("most_left_out", [0, 3, 256])
@pytest.mark.parametrize("served", [("*",), ("q1", "q2", "q4", "none"), ("q0",)], ids=str)
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_the_first_due_jobs_are_leased_whatever_is_left_out(
    store: Store,
    lease: LeaseSome,
    monkeypatch: pytest.MonkeyPatch,
    most_left_out: int,
    served: tuple[str, ...],
    limit: int,
) -> None:
    monkeypatch.setattr(due_jobs, "_MOST_LEFT_OUT", most_left_out)
    some = random.Random(f"{most_left_out} {served} {limit}")
    jobs = [
        NewJob(
            "noop", queue=f"q{some.choice((0, 0, 0, 1, 2, 3, 4, 5))}", priority=some.randint(0, 2)
        )
        for _ in range(60)
    ]
    ids = store.jobs.submit_many(jobs)
    store.queues.configure(RULES)
    wanted = expected(
        [(one, job.queue, job.priority) for one, job in zip(ids, jobs, strict=True)], served, limit
    )
    assert [held.job_id for held in lease(limit, served)] == wanted


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("queues", [1, 300])
def test_a_lease_reads_as_often_whatever_the_number_of_queues(
    store: Store, lease: LeaseSome, monkeypatch: pytest.MonkeyPatch, queues: int
) -> None:
    store.jobs.submit_many([NewJob("noop", queue=f"q{n % queues}") for n in range(300)])
    reads = []
    read_all = SqliteDatabase.all

    def noted(database: SqliteDatabase, sql: str, *values: Value) -> list[Row]:
        reads.append(sql)
        return read_all(database, sql, *values)

    monkeypatch.setattr(SqliteDatabase, "all", noted)
    assert len(lease(64)) == 64
    assert len(reads) == 1


def test_a_delayed_job_goes_before_one_of_less_priority_once_it_is_due(
    store: Store, lease: LeaseSome, clock: Any
) -> None:
    low, high, later = store.jobs.submit_many(
        [
            NewJob("noop"),
            NewJob("noop", priority=5, delay_ms=1_000),
            NewJob("noop", priority=9, delay_ms=5_000),
        ]
    )
    clock.advance(999)
    assert [held.job_id for held in lease(1)] == [low]
    assert store.leases.has_delayed()
    store.jobs.submit(NewJob("noop"))
    clock.advance(1)
    assert [held.job_id for held in lease(1)] == [high]
    assert store.leases.has_delayed()
    clock.advance(4_000)
    assert [held.job_id for held in lease(1)] == [later]
    assert not store.leases.has_delayed()


@pytest.mark.parametrize("served", [("*",), ("default",)])
def test_after_a_lease_the_worker_knows_whether_jobs_wait_for_their_time(
    store: Store, lease: LeaseSome, served: tuple[str, ...]
) -> None:
    store.jobs.submit(NewJob("noop"))
    assert len(lease(1, served)) == 1
    assert not store.leases.has_delayed()
    store.jobs.submit_many([NewJob("noop"), NewJob("noop", delay_ms=5_000)])
    assert len(lease(1, served)) == 1
    assert store.leases.has_delayed()
