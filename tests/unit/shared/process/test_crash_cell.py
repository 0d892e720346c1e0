"""A cell outlives its process and tells which job it was in."""

import signal
import subprocess
import sys
from pathlib import Path

from orpheus.shared.process.crash_cell import (
    Cell,
    CellState,
    cell_path,
    read_cell,
    remove_cell,
    stack_path,
)


def test_entering_and_leaving_is_read_back(tmp_path: Path) -> None:
    path = cell_path(tmp_path / "orpheus.db", "life-1")
    cell = Cell.create(path)
    assert read_cell(path) == CellState(0, running=False)
    cell.enter(2**40)
    assert read_cell(path) == CellState(2**40, running=True)
    cell.leave(2**40)
    assert read_cell(path) == CellState(2**40, running=False)
    cell.close()
    remove_cell(path)
    remove_cell(path)
    assert read_cell(path) is None


def test_a_cell_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "cell"
    code = (
        "import os, sys; from pathlib import Path;"
        "from orpheus.shared.process.crash_cell import Cell;"
        "Cell.create(Path(sys.argv[1])).enter(77); os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).parents[4]
    process = subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, check=False)
    assert process.returncode == -signal.SIGKILL
    assert read_cell(path) == CellState(77, running=True)


def test_the_stacks_of_a_life_stand_beside_its_cell(tmp_path: Path) -> None:
    database = tmp_path / "orpheus.db"
    assert stack_path(database, "life-1") == Path(f"{cell_path(database, 'life-1')}.stack")


def test_a_file_that_is_no_cell_is_none(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"abc")
    assert read_cell(tmp_path / "short") is None


def test_cells_belong_to_their_owner_alone(tmp_path: Path) -> None:
    path = cell_path(tmp_path / "orpheus.db", "life-1")
    Cell.create(path).close()
    assert path.stat().st_mode & 0o077 == 0
