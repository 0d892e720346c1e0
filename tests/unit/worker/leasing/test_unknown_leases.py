"""Leases that a worker has and does not know of, as a commit of it was in doubt."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orpheus.shared.domain.jobs import Holder, Lease, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import CommitInDoubt, DatabaseBusy
from orpheus.shared.process.crash_cell import Cell
from orpheus.shared.storage import Store, open_store
from orpheus.worker.leasing import unknown_leases
from orpheus.worker.leasing.held_leases import HeldLeases
from orpheus.worker.leasing.unknown_leases import UnknownLeases
from tests.databases import make_database
from tests.machine import PATIENCE_S

TTL_S = 30.0
IN_DOUBT_S = 1_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    make_database(url)
    made = open_store(url)
    yield made
    made.close()


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HeldLeases:
    monkeypatch.setattr("orpheus.worker.leasing.held_leases.time.monotonic", lambda: IN_DOUBT_S)
    return HeldLeases(Cell.create(tmp_path / "cell"))


@pytest.fixture
def unknown(store: Store, held: HeldLeases) -> UnknownLeases:
    return UnknownLeases(store, held, "life-1", TTL_S)


@pytest.fixture
def lease(store: Store) -> Callable[[], Lease]:
    """Leases a new job to the worker."""

    def lease_one() -> Lease:
        store.jobs.submit(NewJob("t"))
        (leased,) = store.leases.lease(Holder("default-1", "life-1", 1), ("*",), 1, 600_000)
        return leased

    return lease_one


def lose_an_answer(held: HeldLeases) -> None:
    with pytest.raises(CommitInDoubt), held.reporting, held.giving([], []):
        raise CommitInDoubt("lost")


def status_of(store: Store, lease: Lease) -> Status:
    return store.jobs.get(lease.job_id).status


def test_nothing_is_released_before_a_commit_was_in_doubt(
    store: Store, unknown: UnknownLeases, lease: Callable[[], Lease]
) -> None:
    leased = lease()
    unknown.look(IN_DOUBT_S)
    assert status_of(store, leased) is Status.IN_PROGRESS


def test_what_is_prefetched_or_runs_is_kept(
    store: Store, held: HeldLeases, unknown: UnknownLeases, lease: Callable[[], Lease]
) -> None:
    running, prefetched, untold = lease(), lease(), lease()
    held.add([running, prefetched])
    assert held.start_next(0.0, lambda: 0) is not None
    lose_an_answer(held)
    unknown.look(IN_DOUBT_S)
    statuses = [status_of(store, one) for one in (running, prefetched, untold)]
    assert statuses == [Status.IN_PROGRESS, Status.IN_PROGRESS, Status.PENDING]
    assert store.jobs.attempts(untold.job_id) == []


def test_a_job_that_runs_again_while_its_old_report_is_parked_is_kept(
    store: Store, held: HeldLeases, unknown: UnknownLeases, lease: Callable[[], Lease]
) -> None:
    running = lease()
    held.add([running._replace(token=running.token - 1)])  # it was reclaimed
    old = held.start_next(0.0, lambda: 0)
    assert old is not None
    held.end_attempt(old, Finished(old.lease, Ending.SUCCEEDED, "null"))
    held.park(held.take_reports())
    held.add([running])
    assert held.start_next(0.0, lambda: 0) is not None
    lose_an_answer(held)
    unknown.look(IN_DOUBT_S)
    assert status_of(store, running) is Status.IN_PROGRESS


def test_a_lease_that_the_server_commits_later_is_found_until_it_would_have_expired(
    store: Store, held: HeldLeases, unknown: UnknownLeases, lease: Callable[[], Lease]
) -> None:
    lose_an_answer(held)
    unknown.look(IN_DOUBT_S)
    for later_s in (TTL_S - 1, TTL_S + 1):
        late = lease()
        unknown.look(IN_DOUBT_S + later_s)
        assert status_of(store, late) is Status.PENDING
        store.jobs.cancel(late.job_id)
    assert held.doubt_since_s is None
    after = lease()
    unknown.look(IN_DOUBT_S + TTL_S + 3)
    assert status_of(store, after) is Status.IN_PROGRESS


def test_the_last_look_does_not_wait_until_one_is_due(
    store: Store, held: HeldLeases, unknown: UnknownLeases, lease: Callable[[], Lease]
) -> None:
    lose_an_answer(held)
    unknown.look(IN_DOUBT_S)
    late = lease()
    unknown.look(IN_DOUBT_S)
    assert status_of(store, late) is Status.IN_PROGRESS
    unknown.look_now(IN_DOUBT_S)
    assert status_of(store, late) is Status.PENDING


def test_a_lease_that_is_on_its_way_to_the_loop_is_not_released(
    store: Store,
    held: HeldLeases,
    unknown: UnknownLeases,
    lease: Callable[[], Lease],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unknown_leases, "_WAITS_S", 0.01)
    lose_an_answer(held)
    with held.reporting:
        leased = lease()
        unknown.look(IN_DOUBT_S)
        held.add([leased])
    unknown.look(IN_DOUBT_S + 1)
    assert status_of(store, leased) is Status.IN_PROGRESS
    assert held.start_next(0.0, lambda: 0) is not None


def test_a_look_waits_for_a_lease_that_takes_a_moment(
    store: Store,
    held: HeldLeases,
    unknown: UnknownLeases,
    lease: Callable[[], Lease],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unknown_leases, "_WAITS_S", PATIENCE_S)
    lose_an_answer(held)
    untold = lease()
    held.reporting.acquire()
    threading.Timer(0.05, held.reporting.release).start()
    unknown.look(IN_DOUBT_S)
    assert status_of(store, untold) is Status.PENDING


def test_what_was_released_in_a_commit_in_doubt_is_not_run_and_is_released(
    store: Store, held: HeldLeases, unknown: UnknownLeases, lease: Callable[[], Lease]
) -> None:
    held.add([lease()])
    given = held.take_prefetched()
    with pytest.raises(CommitInDoubt), held.reporting, held.giving([], given):
        raise CommitInDoubt("lost")
    assert held.start_next(0.0, lambda: 0) is None
    assert held.is_empty() and not held.leaves_nothing()
    unknown.look(IN_DOUBT_S)
    assert status_of(store, given[0]) is Status.PENDING
    unknown.look(IN_DOUBT_S + TTL_S)
    assert held.leaves_nothing()


def test_what_could_certainly_not_be_released_is_run(
    held: HeldLeases, lease: Callable[[], Lease]
) -> None:
    held.add([lease()])
    given = held.take_prefetched()
    with pytest.raises(DatabaseBusy), held.reporting, held.giving([], given):
        raise DatabaseBusy("locked")
    assert held.doubt_since_s is None
    assert held.start_next(0.0, lambda: 0) is not None
