"""Quarantine where many write at once: who leases, who counts and who releases."""

import contextlib
from collections.abc import Callable

import psycopg
import pytest

from orpheus.shared.domain.jobs import Holder, NewJob, Status
from orpheus.shared.domain.rates import QueueRules
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import Store
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.quarantines import lock_quarantines
from tests.contract.conftest import Opener
from tests.contract.postgres.conftest import begin_and_wait

pytestmark = pytest.mark.backends("postgresql")

AFTER = 2
_LOCK = "orpheus.shared.storage.verbs.keys.lock_quarantines"
_LOCK_ROW = "SELECT 1 FROM orpheus.jobs WHERE id = %s FOR NO KEY UPDATE NOWAIT"


@pytest.fixture
def stores(another: Opener) -> tuple[Store, Store]:
    pair = another(), another()
    for one in pair:
        one.quarantines.after = AFTER
    return pair


def lease_one(store: Store, incarnation: str) -> int | None:
    leases = store.leases.lease(Holder("w", incarnation, 1), ("*",), 1, 30_000)
    return leases[0].token if leases else None


def crash(store: Store, incarnation: str, token: int) -> None:
    store.leases.free(incarnation, CellState(token, running=True))


@pytest.fixture
def bad(stores: tuple[Store, Store]) -> str:
    """A quarantined type."""
    first, _ = stores
    for n in range(AFTER):
        first.jobs.submit(NewJob("bad", max_retries=0))
        token = lease_one(first, f"life-{n}")
        assert token is not None
        crash(first, f"life-{n}", token)
    return "bad"


def test_a_job_that_is_held_back_while_its_type_is_released_is_let_go(
    stores: tuple[Store, Store], admin: psycopg.Connection, bad: str
) -> None:
    first, second = stores
    first.jobs.submit(NewJob(bad))
    with first.write(durable=False):
        assert lease_one(first, "life") is None
        releases = begin_and_wait(admin, lambda: second.quarantines.release(bad))
    releases.join()
    while first.quarantines.continue_releases():
        pass
    assert first.maintenance.verify() == []
    assert lease_one(first, "life") is not None


def test_crashes_that_are_noted_at_once_are_all_counted(
    stores: tuple[Store, Store], admin: psycopg.Connection
) -> None:
    first, second = stores
    tokens = []
    for n in range(AFTER):
        first.jobs.submit(NewJob("bad"))
        tokens.append(lease_one(first, f"life-{n}") or 0)
    with first.write(durable=True):
        crash(first, "life-0", tokens[0])
        other = begin_and_wait(admin, lambda: crash(second, "life-1", tokens[1]))
    other.join()
    assert [one.type for one in first.quarantines.all()] == ["bad"]


def test_a_release_leaves_a_job_that_another_has_locked_to_the_next_step(
    stores: tuple[Store, Store], admin: psycopg.Connection, bad: str
) -> None:
    first, second = stores
    locked, _ = (first.jobs.submit(NewJob(bad)).job.id for _ in range(2))
    assert lease_one(first, "life") is None
    with admin.transaction():
        admin.execute(_LOCK_ROW, (locked,))
        second.quarantines.release(bad)
        assert first.quarantines.of(bad) is not None
    assert first.quarantines.continue_releases()
    assert first.quarantines.of(bad) is None
    assert first.maintenance.verify() == []


@pytest.fixture
def holds(monkeypatch: pytest.MonkeyPatch) -> list[Database]:
    """Grows each time that jobs are held back."""
    found: list[Database] = []

    def lock(database: Database) -> None:
        found.append(database)
        lock_quarantines(database)

    monkeypatch.setattr(_LOCK, lock)
    return found


def test_a_lease_passes_over_a_job_that_it_cannot_hold_back(
    stores: tuple[Store, Store], admin: psycopg.Connection, bad: str, holds: list[Database]
) -> None:
    first, _ = stores
    first.queues.configure({"mail": QueueRules(paused=True)})  # else none reads what is locked
    locked = first.jobs.submit(NewJob(bad)).job.id
    with contextlib.closing(first.bells.listen_pool("default")) as bell, admin.transaction():
        admin.execute(_LOCK_ROW, (locked,))
        bell.drain()
        assert lease_one(first, "life") is None
        assert len(holds) == 1
        assert not bell.drain(), "it would begin anew at once, until the row is free"
        good = first.jobs.submit(NewJob("good")).job.id
        assert lease_one(first, "life") is not None
        assert first.jobs.get(good).status is Status.IN_PROGRESS
        assert len(holds) == 2
    assert first.maintenance.verify() == []


def test_a_lease_that_a_release_overtakes_takes_the_jobs_of_the_type(
    stores: tuple[Store, Store], bad: str, holds: list[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = stores
    first.jobs.submit(NewJob(bad))
    limits: Callable[[], object] = first.queues.locked_rooms

    def overtaken() -> object:
        """What comes next after the lease has read which types are quarantined."""
        second.quarantines.release(bad)
        return limits()

    monkeypatch.setattr(first.queues, "locked_rooms", overtaken)
    assert lease_one(first, "life") is not None
    assert len(holds) == 1
