"""A cell outlives its process and tells which job it was in."""

import signal
import subprocess
import sys
from pathlib import Path

from orpheus.shared.process.crash_cell import (
    Cell,
    CellOfMany,
    CellState,
    read_cell,
    remove_cell,
)
from orpheus.shared.process.last_lines import NO_JOB


def test_entering_and_leaving_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "cells" / "life-1"
    cell = Cell.create(path)
    assert read_cell(path) == CellState(0, running=False)
    cell.enter(2**40, job_id=7)
    assert read_cell(path) == CellState(2**40, running=True, jobs=(7,))
    cell.leave(2**40)
    assert read_cell(path) == CellState(2**40, running=False, has_ended=True)
    cell.clear()
    assert read_cell(path) == CellState(0, running=False, has_ended=True)
    cell.enter(2**40 + 1, job_id=9)
    assert read_cell(path) == CellState(2**40 + 1, running=True, has_ended=True, jobs=(9,))
    cell.close()
    remove_cell(path)
    remove_cell(path)
    assert read_cell(path) is None


def test_a_cell_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "cell"
    code = (
        "import os, sys; from pathlib import Path;"
        "from orpheus.shared.process.crash_cell import Cell;"
        "Cell.create(Path(sys.argv[1])).enter(77, 5); os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).parents[4]
    process = subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, check=False)
    assert process.returncode == -signal.SIGKILL
    assert read_cell(path) == CellState(77, running=True, jobs=(5,))


def test_a_file_that_is_no_cell_is_none(tmp_path: Path) -> None:
    for size in (0, 3, 8, 32):
        (tmp_path / "other").write_bytes(b"\1" * size)
        assert read_cell(tmp_path / "other") is None, size


def test_cells_belong_to_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "cells" / "life-1"
    Cell.create(path).close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_cell_of_many_tells_what_runs_in_its_places(tmp_path: Path) -> None:
    path = tmp_path / "cell"
    cell = CellOfMany.create(path, 3)

    def state() -> CellState:
        found = read_cell(path)
        assert found is not None
        return found

    assert state() == CellState(0, running=False, together=frozenset())
    cell.enter(2, 2**40, job_id=7)
    assert state() == CellState(2**40, running=True, together=frozenset({2**40}), jobs=(7,))
    assert state().running_token == 2**40
    cell.enter(0, 2**40 + 1, job_id=5)
    cell.mark_overdue(2)
    both = frozenset({2**40, 2**40 + 1})
    assert state() == CellState(
        2**40 + 1, running=True, together=both, overdue=frozenset({2**40}), jobs=(5, 7)
    )
    assert state().running_token == NO_JOB, "nobody knows which"
    cell.leave(2)
    cell.enter(2, 2**40 + 2, job_id=8)
    cell.undo_enter(2)
    assert state() == CellState(
        2**40 + 1, running=True, has_ended=True, together=frozenset({2**40 + 1}), jobs=(5,)
    )
    cell.leave(0)
    assert state() == CellState(2**40 + 1, running=False, has_ended=True, together=frozenset())
    cell.clear()
    assert state() == CellState(0, running=False, has_ended=True, together=frozenset())
    cell.close()
