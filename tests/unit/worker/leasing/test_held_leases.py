"""Entering a job and giving it back exclude each other; nothing is lost in between."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.process.crash_cell import Cell, CellState, read_cell
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.leasing.held_leases import HeldLeases


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
    first = held.start_next(0.0)
    assert first is not None
    assert first.lease.job_id == 1
    assert held.running is first
    assert read_cell(cell_file) == CellState(10, running=True)
    held.end_attempt(first, succeeded(first))
    assert held.running is None
    assert read_cell(cell_file) == CellState(10, running=False)


def test_a_released_job_is_not_started(held: HeldLeases) -> None:
    assert [lease.job_id for lease in held.take_prefetched(lambda place, _: place >= 1)] == [2, 3]
    assert held.start_next(0.0) is not None
    assert held.start_next(0.0) is None


def test_every_lease_is_held_until_it_is_reported_or_released(held: HeldLeases) -> None:
    first = held.start_next(0.0)
    assert first is not None
    held.end_attempt(first, succeeded(first))
    held.start_next(0.0)
    assert held.tokens() == {1: 10, 2: 20, 3: 30}
    assert held.prefetched_tokens() == {3: 30}
    assert held.expires_mono_ms == 99
    assert [finished.lease.job_id for finished, _ in held.take_reports()] == [1]
    assert held.tokens() == {2: 20, 3: 30}


def test_restored_reports_and_leases_keep_their_order(held: HeldLeases) -> None:
    first = held.start_next(0.0)
    assert first is not None
    held.end_attempt(first, succeeded(first))
    reports = held.take_reports()
    taken = held.take_prefetched(lambda place, _: place == 0)
    second = held.start_next(0.0)
    assert second is not None
    assert second.lease.job_id == 3
    held.end_attempt(second, succeeded(second))
    held.restore(reports, taken)
    assert [finished.lease.job_id for finished, _ in held.take_reports()] == [1, 3]
    third = held.start_next(0.0)
    assert third is not None
    assert third.lease.job_id == 2


def test_nothing_waits_once_every_lease_is_released(held: HeldLeases) -> None:
    assert held.has_waiting()
    held.take_prefetched(lambda *_: True)
    assert held.is_empty()
    assert held.start_next(0.0) is None
