"""A store on which three crashes quarantine a type."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.jobs import Holder, Lease, NewJob
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import (
    LeaseHolder,
    LookAtHolder,
    Store,
    TypeRow,
)
from tests.contract.conftest import Opener
from tests.explained import reasons_of, worker

AFTER = 3
KILLED = "killed by SIGSEGV"
WORKERS = [worker(f"default-{n}") for n in range(1, 10)]
Crash = Callable[..., Lease]


@pytest.fixture
def store(another: Opener) -> Store:
    opened = another()
    opened.quarantines.after = AFTER
    opened.types.replace([a_type("bad"), a_type("good")])
    return opened


def a_type(name: str, code: str = "one") -> TypeRow:
    return TypeRow(name, "{}", None, None, None, "", code=code)


@pytest.fixture
def crash(store: Store) -> Crash:
    """Submits a job, leases it, and lets it kill its worker."""

    def crash_one(
        type: str = "bad", *, priority: int = 1000, was_stopped: bool = False, max_retries: int = 3
    ) -> Lease:
        new = NewJob(type, priority=priority, max_retries=max_retries)
        job_id = store.jobs.submit(new).job.id
        holder = Holder("default-1", f"life-{job_id}", job_id)
        (lease,) = store.leases.lease(holder, ("*",), 1, 30_000)
        assert lease.job_id == job_id
        cell = CellState(lease.token, running=True)
        store.leases.free(holder.incarnation, cell, evidence=KILLED, was_stopped=was_stopped)
        return lease

    return crash_one


def quarantined(store: Store) -> list[str]:
    return [one.type for one in store.quarantines.all()]


def parked(store: Store) -> list[int]:
    sql = "SELECT id FROM jobs WHERE is_parked = 2 ORDER BY id"
    return [row[0] for row in store._database.all(sql)]


def looks_at(token: int) -> LookAtHolder:
    """What sees that the worker has died while it ran the job with this lease."""
    holder = LeaseHolder(CellState(token, running=True), is_dead=True)
    return lambda _: holder


def waits_for(store: Store, job_id: int) -> list[str]:
    return [reason.code for reason in reasons_of(store, job_id, *WORKERS)]


@pytest.fixture
def bad(store: Store, crash: Crash) -> list[int]:
    """The type is quarantined; the jobs that did it, which have failed."""
    return [crash(max_retries=0).job_id for _ in range(AFTER)]
