"""What a clock means to a write that has waited for another process's transaction."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.processes import Role
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from tests.contract.conftest import End, LeaseSome, Opener, Submit
from tests.sqlite_handle import handle_of

pytestmark = pytest.mark.backends(
    "sqlite"
)  # On PostgreSQL, there is no lock that every write waits for.

WaitFor = Callable[[int], Store]


@pytest.fixture
def waiting_for(store: Store, another: Opener, clock: Any) -> WaitFor:
    """The store, whose next write waits so many milliseconds for the lock."""

    def make(milliseconds: int) -> Store:
        transaction = contextlib.ExitStack()
        transaction.enter_context(another().write(durable=False))

        def end_it(_times: int) -> bool:
            clock.advance(milliseconds)
            transaction.close()
            return True

        handle_of(store).turns._wait = end_it  # type: ignore[method-assign,assignment]
        return store

    return make


def test_a_lease_that_expires_during_the_wait_is_not_renewed(
    store: Store, waiting_for: WaitFor, submit: Submit, lease: LeaseSome
) -> None:
    job_id = submit()
    (held,) = lease()
    assert waiting_for(30_000).leases.renew({job_id: held.token}, 30_000) == {held.token}
    assert store.leases.reclaim_expired() == [job_id]


def test_a_renewed_lease_lasts_from_the_end_of_the_wait(
    store: Store, waiting_for: WaitFor, submit: Submit, lease: LeaseSome, clock
) -> None:
    job_id = submit()
    (held,) = lease()
    assert waiting_for(20_000).leases.renew({job_id: held.token}, 30_000) == set()
    clock.advance(29_999)
    assert store.leases.reclaim_expired() == []


def test_a_new_lease_lasts_from_the_end_of_the_wait(
    store: Store, waiting_for: WaitFor, submit: Submit, lease: LeaseSome, clock
) -> None:
    submit()
    waiting_for(40_000)
    (held,) = lease()
    assert held.expires_mono_ms == clock.monotonic + 30_000


def test_a_result_whose_lease_expires_during_the_wait_is_refused(
    waiting_for: WaitFor, submit: Submit, lease: LeaseSome, end: End
) -> None:
    submit()
    (held,) = lease()
    waiting_for(30_000)
    assert not end(held)


def test_progress_and_log_lines_are_refused_as_well(
    waiting_for: WaitFor, submit: Submit, lease: LeaseSome
) -> None:
    job_id = submit()
    (held,) = lease()
    assert not waiting_for(30_000).leases.progress(job_id, held.token, 0.5, None)
    assert not waiting_for(0).logs.append(job_id, held.token, 1, [])


def test_a_beat_says_when_it_was_written(store: Store, waiting_for: WaitFor, clock: Any) -> None:
    store.processes.register(own_record(clock, "host-1", Role.WORKER, "default-1", "life-1"))
    waiting_for(5_000).processes.beat("life-1", ready=True, beat=1, job_id=None, jobs_done=0)
    [row] = store.processes.all()
    assert row.last_beat_mono_ms == clock.monotonic


def test_leases_that_expire_during_the_wait_are_reclaimed_with_the_others(
    waiting_for: WaitFor, submit: Submit, lease: LeaseSome, clock
) -> None:
    ids = [submit(), submit()]
    lease()
    clock.advance(20_000)
    lease()
    clock.advance(10_000)
    assert waiting_for(20_000).leases.reclaim_expired() == ids
