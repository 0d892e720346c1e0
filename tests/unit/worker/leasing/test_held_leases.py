"""Entering a job and releasing it exclude each other; nothing is lost in between."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import DatabaseFull
from orpheus.shared.process.crash_cell import Cell, CellState, read_cell
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.leasing.held_leases import HeldLeases, store_reports


def succeeded(running: RunningAttempt) -> Finished:
    return Finished(running.lease, Ending.SUCCEEDED, "null")


@pytest.fixture
def cell_file(tmp_path: Path) -> Path:
    return tmp_path / "cell"


@pytest.fixture
def held(cell_file: Path, make_lease: Callable[..., Lease]) -> HeldLeases:
    """Three jobs leased ahead."""
    made = HeldLeases(Cell.create(cell_file))
    made.add([make_lease(job_id=n, token=10 * n, expires_mono_ms=99) for n in (1, 2, 3)])
    return made


def test_attempts_start_in_order_and_the_cell_shows_it(held: HeldLeases, cell_file: Path) -> None:
    first = held.start_next(0.0, lambda: 0)
    assert first is not None
    assert first.lease.job_id == 1
    assert held.running is first
    assert read_cell(cell_file) == CellState(10, running=True, jobs=(1,))
    held.end_attempt(first, succeeded(first))
    assert held.running is None
    assert read_cell(cell_file) == CellState(10, running=False, has_ended=True)


def test_the_cell_still_names_a_job_whose_result_was_refused(
    held: HeldLeases, cell_file: Path
) -> None:
    """Whoever reclaims its lease must not take it for a job that was not entered."""
    first = held.start_next(0.0, lambda: 0)
    assert first is not None
    held.end_attempt(first, succeeded(first))
    held.take_reports()
    held.note_refused()
    held.note_reported()
    assert read_cell(cell_file) == CellState(10, running=False, has_ended=True)


def test_the_cell_names_no_job_once_every_result_is_reported(
    held: HeldLeases, cell_file: Path
) -> None:
    first = held.start_next(0.0, lambda: 0)
    assert first is not None
    held.end_attempt(first, succeeded(first))
    held.note_reported()
    assert read_cell(cell_file) == CellState(10, running=False, has_ended=True)
    held.take_reports()
    held.note_reported()
    assert read_cell(cell_file) == CellState(0, running=False, has_ended=True)
    held.start_next(0.0, lambda: 0)
    held.note_reported()
    assert read_cell(cell_file) == CellState(20, running=True, has_ended=True, jobs=(2,))


def test_a_job_whose_lease_expires_as_it_is_entered_does_not_run(
    held: HeldLeases, cell_file: Path
) -> None:
    entered: list[CellState | None] = []

    def monotonic_ms() -> int:  # the process was stopped just before it reads the clock
        entered.append(read_cell(cell_file))
        return 99

    assert held.start_next(0.0, monotonic_ms) is None
    in_the_job = CellState(10, running=True, jobs=(1,))
    assert entered == [in_the_job], "the cell is written before the clock is read"
    assert read_cell(cell_file) == CellState(0, running=False)
    assert held.prefetched_tokens() == {1: 10, 2: 20, 3: 30}


def test_a_released_job_is_not_started(held: HeldLeases) -> None:
    assert [lease.job_id for lease in held.take_prefetched(lambda index, _: index >= 1)] == [2, 3]
    assert held.start_next(0.0, lambda: 0) is not None
    assert held.start_next(0.0, lambda: 0) is None


def test_every_lease_is_held_until_it_is_reported_or_released(held: HeldLeases) -> None:
    first = held.start_next(0.0, lambda: 0)
    assert first is not None
    held.end_attempt(first, succeeded(first))
    held.start_next(0.0, lambda: 0)
    assert held.tokens() == {1: 10, 2: 20, 3: 30}
    assert held.prefetched_tokens() == {3: 30}
    assert held.expires_mono_ms == 99
    assert [finished.lease.job_id for finished, _ in held.take_reports()] == [1]
    assert held.tokens() == {2: 20, 3: 30}


def test_restored_reports_and_leases_keep_their_order(held: HeldLeases) -> None:
    first = held.start_next(0.0, lambda: 0)
    assert first is not None
    held.end_attempt(first, succeeded(first))
    reports = held.take_reports()
    taken = held.take_prefetched(lambda index, _: index == 0)
    second = held.start_next(0.0, lambda: 0)
    assert second is not None
    assert second.lease.job_id == 3
    held.end_attempt(second, succeeded(second))
    held.restore(reports, taken)
    assert [finished.lease.job_id for finished, _ in held.take_reports()] == [1, 3]
    third = held.start_next(0.0, lambda: 0)
    assert third is not None
    assert third.lease.job_id == 2


def test_nothing_waits_once_every_lease_is_released(held: HeldLeases) -> None:
    assert held.has_waiting()
    held.take_prefetched(lambda *_: True)
    assert held.is_empty()
    assert held.start_next(0.0, lambda: 0) is None


def test_of_results_that_are_refused_those_that_are_stored_already_are_not_lost(
    held: HeldLeases,
) -> None:
    reports = []
    for _ in range(3):
        attempt = held.start_next(0.0, lambda: 0)
        assert attempt is not None
        held.end_attempt(attempt, succeeded(attempt))
        reports.append((succeeded(attempt), attempt))
    store = MagicMock()
    store.leases.finish.return_value = {20, 30}
    store.leases.stored.side_effect = lambda ends: {ends[0].lease.token}
    assert store_reports(store, reports, list) == ({30}, [])


@pytest.mark.parametrize("why", [DatabaseFull("the disk is full"), KeyError("an error of ours")])
def test_a_report_that_could_not_be_stored_keeps_its_lines_and_its_progress(
    held: HeldLeases, why: Exception
) -> None:
    first = held.start_next(0.0, lambda: 0)
    assert first is not None
    first.job_log().info("a line")
    first.unsaved_progress = (0.75, "nearly")
    store = MagicMock()
    store.write.return_value = contextlib.nullcontext()
    store.leases.finish.side_effect = why
    with pytest.raises(type(why)):
        store_reports(store, [(succeeded(first), first)], list)
    assert first.unsaved_progress == (0.75, "nearly")
    assert [one.line for one in first.job_log().take()] == ["a line"]


# Reports that others hold up


@pytest.fixture
def parked(held: HeldLeases) -> RunningAttempt:
    """The first job has ended, and its report is parked."""
    first = held.start_next(0.0, lambda: 0)
    assert first is not None
    first.ended_at_s = time.monotonic()
    held.end_attempt(first, succeeded(first))
    held.park(held.take_reports())
    return first


def test_a_parked_report_is_due_after_a_pause_and_its_lease_is_held_meanwhile(
    held: HeldLeases, parked: RunningAttempt
) -> None:
    assert held.take_reports() == []
    assert held.tokens() == {1: 10, 2: 20, 3: 30}
    assert held.has_parked()
    held.parked_due_s = time.monotonic()
    assert [attempt for _, attempt in held.take_reports()] == [parked]
    assert not held.has_parked()


def test_a_job_that_is_leased_again_while_its_old_report_is_parked_has_the_newer_lease(
    held: HeldLeases, parked: RunningAttempt, make_lease: Callable[..., Lease]
) -> None:
    """The worker stood still, the lease was reclaimed, and the same worker leased the job again."""
    held.take_prefetched()
    held.add([make_lease(job_id=1, token=40, expires_mono_ms=500)])
    assert held.tokens() == {1: 40}, "prefetched"
    assert held.start_next(0.0, lambda: 0) is not None
    assert held.tokens() == {1: 40}, "running"
    assert held.still_held([10, 40]) == {40}


def test_the_pauses_grow_with_the_age_of_the_oldest_parked_report(
    held: HeldLeases, parked: RunningAttempt
) -> None:
    pauses_s = []
    for age_s in (0, 4, 4_000):
        parked.ended_at_s = time.monotonic() - age_s
        held.park(held.take_reports(with_parked=True))
        pauses_s.append(held.parked_due_s - time.monotonic())
    assert pauses_s == pytest.approx([0.1, 1, 5], rel=0.1)


def test_another_report_that_is_parked_does_not_put_off_the_next_try(
    held: HeldLeases, parked: RunningAttempt
) -> None:
    due_s = held.parked_due_s
    second = held.start_next(0.0, lambda: 0)
    assert second is not None
    held.end_attempt(second, succeeded(second))
    held.park(held.take_reports())
    assert held.parked_due_s == due_s
    assert [attempt for _, attempt in held.take_reports(with_parked=True)] == [parked, second]


def test_a_worker_parks_some_reports_and_then_leases_nothing_more(
    held: HeldLeases, make_lease: Callable[..., Lease]
) -> None:
    held.take_prefetched()
    held.add([make_lease(job_id=n, token=n, expires_mono_ms=99) for n in range(1, 65)])
    while held.prefetched_tokens():
        assert held.may_park()
        attempt = held.start_next(0.0, lambda: 0)
        assert attempt is not None
        held.end_attempt(attempt, succeeded(attempt))
        held.park(held.take_reports())
    assert not held.may_park()


def test_a_new_lease_does_not_put_off_the_renewal_of_a_parked_one(
    held: HeldLeases, parked: RunningAttempt, make_lease: Callable[..., Lease]
) -> None:
    held.take_prefetched()
    held.add([make_lease(job_id=4, token=40, expires_mono_ms=500)])
    assert held.expires_mono_ms == 99


def test_the_cell_names_a_job_whose_report_is_parked(
    held: HeldLeases, parked: RunningAttempt, cell_file: Path
) -> None:
    held.note_reported()
    assert read_cell(cell_file) == CellState(10, running=False, has_ended=True)
    assert not held.leaves_nothing()


def test_parked_results_are_not_waited_for_by_a_job_that_has_crashed_before(
    held: HeldLeases, parked: RunningAttempt, make_lease: Callable[..., Lease]
) -> None:
    held.take_prefetched()
    held.add([make_lease(job_id=4, token=40, expires_mono_ms=500, crashes=1)])
    assert not held.risks_results()


def test_what_is_being_stored_or_released_is_held_but_cannot_be_lost(held: HeldLeases) -> None:
    first = held.start_next(0.0, lambda: 0)
    assert first is not None
    held.end_attempt(first, succeeded(first))
    reports, released = held.take_reports(), held.take_prefetched(lambda index, _: index == 0)
    with held.giving(reports, released):
        assert held.tokens() == {1: 10, 2: 20, 3: 30}
        assert held.still_held({10, 20, 30}) == {30}
    assert held.tokens() == {3: 30}


def test_only_what_others_hold_up_is_left_when_reports_are_stored(held: HeldLeases) -> None:
    reports = []
    for _ in range(3):
        attempt = held.start_next(0.0, lambda: 0)
        assert attempt is not None
        held.end_attempt(attempt, succeeded(attempt))
        reports.append((succeeded(attempt), attempt))

    def finish(ended: list[Finished], held_up: set[int], key_wait_ms: int) -> set[int]:
        assert (len(ended), key_wait_ms) == (3, 0)
        held_up.add(20)
        return {10}

    store = MagicMock()
    store.leases.finish = finish
    store.leases.stored.return_value = set()
    held_up: list[tuple[Finished, RunningAttempt]] = []
    assert store_reports(store, reports, list, held_up, is_patient=False) == ({10}, [])
    assert held_up == [reports[1]]
