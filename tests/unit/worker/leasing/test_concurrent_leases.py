"""Places, and the jobs that run alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.process.crash_cell import CellOfMany, read_cell
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.leasing.concurrent_leases import ConcurrentLeases

PLACES = 3
MakeLease = Callable[..., Lease]


@pytest.fixture
def cell_file(tmp_path: Path) -> Path:
    return tmp_path / "cell"


@pytest.fixture
def held(cell_file: Path) -> ConcurrentLeases:
    return ConcurrentLeases(CellOfMany.create(cell_file, PLACES), None, PLACES)


def start(held: ConcurrentLeases) -> RunningAttempt:
    assert held.can_start()
    attempt = held.start_next(0.0, lambda: 0)
    assert attempt is not None
    return attempt


def end(held: ConcurrentLeases, attempt: RunningAttempt) -> None:
    held.end_attempt(attempt, Finished(attempt.lease, Ending.SUCCEEDED, "null"))


def running_tokens(file: Path) -> frozenset[int]:
    cell = read_cell(file)
    assert cell is not None
    return cell.running_tokens


def test_as_many_run_as_there_are_places(
    held: ConcurrentLeases, cell_file: Path, make_lease: MakeLease
) -> None:
    held.add([make_lease(job_id=n, token=10 * n, expires_mono_ms=99) for n in range(1, 6)])
    first, second, third = (start(held) for _ in range(PLACES))
    assert held.attempts() == (first, second, third)
    assert not held.can_start()
    assert (held.free_places(), held.only_attempt()) == (0, None)
    assert running_tokens(cell_file) == {10, 20, 30}
    end(held, second)
    assert running_tokens(cell_file) == {10, 30}
    assert second not in held.attempts()
    assert start(held).lease.token == 40
    assert held.tokens() == {n: 10 * n for n in range(1, 6)}


def test_a_job_that_has_crashed_runs_alone(held: ConcurrentLeases, make_lease: MakeLease) -> None:
    leases = [make_lease(job_id=n, token=n, expires_mono_ms=99, crashes=n == 2) for n in (1, 2, 3)]
    held.add(leases)
    first = start(held)
    assert not held.can_start(), "it waits for the first to end"
    assert held.waits_to_run_alone()
    end(held, first)
    assert not held.can_start(), "it would lose the result of the first if it crashed again"
    assert held.risks_results()
    assert len(held.take_reports()) == 1
    assert not held.risks_results()
    second = start(held)
    assert not held.can_start(), "nothing starts beside it"
    assert held.free_places() == 0
    end(held, second)
    assert start(held).lease.job_id == 3


def test_the_oldest_lease_says_when_to_renew(held: ConcurrentLeases, make_lease: MakeLease) -> None:
    held.add([make_lease(job_id=1, token=1, expires_mono_ms=1_000)])
    first = start(held)
    held.add([make_lease(job_id=2, token=2, expires_mono_ms=2_000)])
    assert held.expires_mono_ms == 1_000
    end(held, first)
    held.take_reports()
    held.take_prefetched()
    held.add([make_lease(job_id=3, token=3, expires_mono_ms=3_000)])
    assert held.expires_mono_ms == 3_000


def test_a_job_that_is_leased_again_while_it_runs_has_lost_its_first_lease(
    held: ConcurrentLeases, make_lease: MakeLease
) -> None:
    held.add([make_lease(job_id=1, token=1, expires_mono_ms=99)])
    first = start(held)
    held.add([make_lease(job_id=1, token=2, expires_mono_ms=99)])
    assert first.lease_lost
    assert held.tokens() == {1: 2}, "the one that is to be renewed"
    second = start(held)
    assert held.tokens() == {1: 2}
    end(held, second)
    end(held, first)
    assert not second.lease_lost
    assert len(held.take_reports()) == 2


def test_a_renewal_says_nothing_of_what_was_leased_meanwhile(
    held: ConcurrentLeases, make_lease: MakeLease
) -> None:
    held.add([make_lease(job_id=1, token=1, expires_mono_ms=1_000)])
    start(held)
    tokens = held.tokens()
    held.add([make_lease(job_id=2, token=2, expires_mono_ms=2_000)])
    held.note_renewed(tokens, 3_000)
    assert held.expires_mono_ms == 2_000
    held.note_renewed(held.tokens(), 4_000)
    assert held.expires_mono_ms == 4_000


def test_an_attempt_whose_lease_is_lost_keeps_no_other_from_being_started_or_renewed(
    held: ConcurrentLeases, make_lease: MakeLease
) -> None:
    held.add([make_lease(job_id=1, token=1, expires_mono_ms=1_000)])
    start(held).mark_lease_lost(0.0)
    held.add([make_lease(job_id=2, token=2, expires_mono_ms=9_000)])
    assert held.start_next(0.0, lambda: 2_000) is not None
    held.note_renewed({2: 2}, 12_000)
    assert held.expires_mono_ms == 12_000


def test_an_expired_lease_is_not_started(
    held: ConcurrentLeases, cell_file: Path, make_lease: MakeLease
) -> None:
    held.add([make_lease(job_id=1, token=1, expires_mono_ms=1_000)])
    assert held.can_start()
    assert held.start_next(0.0, lambda: 1_000) is None
    assert running_tokens(cell_file) == frozenset()
    assert held.prefetched_tokens() == {1: 1}


def test_only_a_running_attempt_is_marked_overdue(
    held: ConcurrentLeases, cell_file: Path, make_lease: MakeLease
) -> None:
    held.add([make_lease(job_id=n, token=n, expires_mono_ms=99) for n in (1, 2)])
    first, second = start(held), start(held)
    end(held, first)
    for attempt in (first, second):
        assert attempt.note_overdue is not None
        attempt.note_overdue()
    cell = read_cell(cell_file)
    assert cell is not None
    assert cell.running_tokens == cell.overdue == {2}


def test_the_cell_is_cleared_once_nothing_runs_and_all_is_reported(
    held: ConcurrentLeases, cell_file: Path, make_lease: MakeLease
) -> None:
    held.add([make_lease(job_id=n, token=n, expires_mono_ms=99) for n in (1, 2)])
    first, second = start(held), start(held)
    end(held, first)
    held.take_reports()
    held.note_reported()
    cell = read_cell(cell_file)
    assert cell is not None
    assert cell.token == 2, "one still runs"
    end(held, second)
    held.take_reports()
    held.note_reported()
    cell = read_cell(cell_file)
    assert cell is not None
    assert cell.token == 0
