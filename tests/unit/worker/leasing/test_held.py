"""Entering a job and giving it back exclude each other; nothing is lost in between."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.process.crash_cell import Cell, CellState, read_cell
from orpheus.worker.attempt.context import Running
from orpheus.worker.leasing.held import Held


def succeeded(running: Running) -> Finished:
    return Finished(running.lease, Ending.SUCCEEDED, "null")


@pytest.fixture
def cell_file(tmp_path: Path) -> Path:
    return tmp_path / "cell"


@pytest.fixture
def held(cell_file: Path, make_lease: Callable[..., Lease]) -> Held:
    """Three jobs leased ahead."""
    made = Held(Cell.create(cell_file))
    made.add([make_lease(job_id=n, token=10 * n, expires_mono_ms=99) for n in (1, 2, 3)])
    return made


def test_jobs_are_entered_in_order_and_the_cell_says_so(held: Held, cell_file: Path) -> None:
    first = held.enter(0.0)
    assert first is not None
    assert first.lease.job_id == 1
    assert held.running is first
    assert read_cell(cell_file) == CellState(10, running=True)
    held.leave(first, succeeded(first))
    assert held.running is None
    assert read_cell(cell_file) == CellState(10, running=False)


def test_a_job_given_back_is_not_entered(held: Held) -> None:
    assert [lease.job_id for lease in held.take_ahead(lambda place, _: place >= 1)] == [2, 3]
    assert held.enter(0.0) is not None
    assert held.enter(0.0) is None


def test_every_lease_counts_until_it_is_reported_or_given_back(held: Held) -> None:
    first = held.enter(0.0)
    assert first is not None
    held.leave(first, succeeded(first))
    held.enter(0.0)
    assert held.tokens() == {1: 10, 2: 20, 3: 30}
    assert held.tokens_ahead() == {3: 30}
    assert held.expires_mono_ms == 99
    assert [finished.lease.job_id for finished, _ in held.take_unreported()] == [1]
    assert held.tokens() == {2: 20, 3: 30}


def test_what_is_put_back_stands_in_its_place_again(held: Held) -> None:
    first = held.enter(0.0)
    assert first is not None
    held.leave(first, succeeded(first))
    reports = held.take_unreported()
    taken = held.take_ahead(lambda place, _: place == 0)
    second = held.enter(0.0)
    assert second is not None
    assert second.lease.job_id == 3
    held.leave(second, succeeded(second))
    held.put_back(reports, taken)
    assert [finished.lease.job_id for finished, _ in held.take_unreported()] == [1, 3]
    third = held.enter(0.0)
    assert third is not None
    assert third.lease.job_id == 2


def test_who_holds_nothing_waits_for_nothing(held: Held) -> None:
    assert held.is_waiting()
    held.take_ahead(lambda *_: True)
    assert held.is_empty()
    assert held.enter(0.0) is None
