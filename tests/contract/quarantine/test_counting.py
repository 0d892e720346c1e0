"""Which crashes quarantine a type, and how they are counted."""

import pytest

from orpheus.shared.domain.jobs import Holder, NewJob, Status
from orpheus.shared.domain.quarantine import WINDOW_MS
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import (
    Store,
)
from tests.contract.conftest import End, FakeClock, LeaseSome, Opener, Submit, ids
from tests.contract.quarantine.conftest import AFTER, KILLED, Crash, looks_at, quarantined

# What counts


def test_so_many_crashes_quarantine_a_type_with_their_evidence(store: Store, crash: Crash) -> None:
    leases = [crash(max_retries=0) for _ in range(AFTER - 1)]
    assert quarantined(store) == []
    leases.append(crash(max_retries=0))
    (quarantine,) = store.quarantines.all()
    assert [one.job for one in quarantine.crashes] == ids(leases)
    first = quarantine.crashes[0]
    assert (first.worker, first.attempt, first.evidence) == ("default-1", 1, KILLED)
    assert first.at_ms == store.jobs.attempts(first.job)[0].finished_at_ms
    assert quarantine.evidence == (
        f"after crashing 3 workers in a row (last: job {leases[-1].job_id} on default-1, {KILLED})"
    )
    events = [one for one in store.events.after(0, 999) if one.kind == "type.quarantined"]
    assert '"name":"bad"' in events[0].body
    assert KILLED in events[0].body
    assert len(events) == 1
    assert store.maintenance.verify() == []


def test_one_job_that_is_tried_often_enough_quarantines_its_type(
    store: Store, submit: Submit, clock: FakeClock
) -> None:
    job_id = submit("bad", max_retries=9)
    for n in range(AFTER):
        (lease,) = store.leases.lease(Holder("w", f"life-{n}", n), ("*",), 1, 30_000)
        store.leases.free(f"life-{n}", CellState(lease.token, running=True))
        clock.advance(60_000)
    assert quarantined(store) == ["bad"]
    assert store.jobs.get(job_id).status is Status.PENDING


def test_a_success_of_the_type_begins_the_count_anew(
    store: Store, crash: Crash, submit: Submit, lease: LeaseSome, end: End
) -> None:
    for _ in range(3):
        for _ in range(AFTER - 1):
            crash(max_retries=0)
        submit("bad")
        (held,) = lease(1)
        end(held)
    assert quarantined(store) == []


def test_a_crash_too_long_ago_does_not_count(store: Store, crash: Crash, clock: FakeClock) -> None:
    crash(max_retries=0)
    clock.advance(WINDOW_MS)
    for _ in range(AFTER - 1):
        crash(max_retries=0)
    assert quarantined(store) == []
    crash(max_retries=0)
    assert quarantined(store) == ["bad"]


def test_what_somebody_stopped_does_not_count(store: Store, crash: Crash) -> None:
    for _ in range(AFTER):
        crash(was_stopped=True, max_retries=0)
    assert quarantined(store) == []


@pytest.mark.parametrize("how", ["together", "lost", "not entered", "overdue", "cut off", "reboot"])
def test_what_is_not_certainly_the_doing_of_the_job_does_not_count(
    store: Store, submit: Submit, clock: FakeClock, how: str
) -> None:
    for n in range(AFTER + 1):
        submit("bad", max_retries=0)
        (lease,) = store.leases.lease(Holder("w", f"life-{n}", n), ("*",), 1, 30_000)
        if how == "together":
            two = frozenset({lease.token, lease.token + 1})
            store.leases.free(f"life-{n}", CellState(lease.token, running=True, together=two))
        elif how == "lost":
            store.leases.free(f"life-{n}", CellState(lease.token, running=False))
        elif how == "not entered":
            store.leases.free(f"life-{n}", CellState(lease.token - 1, running=True))
        elif how == "overdue":
            cell = CellState(lease.token, running=True)
            store.leases.free(f"life-{n}", cell, killed_at_deadline=True)
        elif how == "cut off":
            clock.advance(30_001)
            store.leases.reclaim_expired()
        else:
            clock.boot = f"boot-{n + 2}"
            store.leases.void_other_boots(looks_at(lease.token))
    assert quarantined(store) == []


def test_a_death_that_only_the_expiry_of_the_lease_tells_counts(
    store: Store, submit: Submit, clock: FakeClock
) -> None:
    for n in range(AFTER):
        submit("bad", max_retries=0)
        (lease,) = store.leases.lease(Holder("w", f"life-{n}", n), ("*",), 1, 30_000)
        clock.advance(30_001)
        store.leases.reclaim_expired(looks_at(lease.token))
    assert quarantined(store) == ["bad"]


# At once


@pytest.fixture
def many(another: Opener) -> list[Store]:
    stores = [another() for _ in range(2)]
    for one in stores:
        one.quarantines.after = AFTER
    return stores


def test_crashes_that_different_processes_note_are_counted_together(many: list[Store]) -> None:
    for n in range(AFTER):
        store = many[n % 2]
        store.jobs.submit(NewJob("bad", max_retries=0))
        (lease,) = store.leases.lease(Holder("w", f"life-{n}", n), ("*",), 1, 30_000)
        store.leases.free(f"life-{n}", CellState(lease.token, running=True))
    assert [quarantined(one) for one in many] == [["bad"], ["bad"]]
    many[0].jobs.submit(NewJob("bad"))
    assert many[1].leases.lease(Holder("w", "life", 1), ("*",), 1, 30_000) == []
