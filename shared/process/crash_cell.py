"""Crash cells: which job a worker was running when it died, kept in memory instead of a commit.

Each incarnation of a worker maps one 64-bit word in a file beside the database and writes there
before and after each job's code. This is one store to memory without a system call, and the page
survives the process. After the worker's death it tells the job that was running (crashed) from
those that had run but were not committed (lost) and those not entered yet (released), because lease
tokens only grow in the order in which a worker enters its jobs. Without it, one poison job among 64
prefetched jobs would spend an attempt of all 64.
"""

import contextlib
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

_WORD_BYTES = 8
_FOLDER_SUFFIX = "-cells"


@dataclass(frozen=True, slots=True)
class CellState:
    """`token`: the lease entered last (0: none yet). `running`: its job's code had not returned."""

    token: int
    running: bool


class Cell:
    """The worker's end: one mapped word, so token and running are always written together."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._word = memoryview(memory).cast("Q")
        self._memory = memory

    @classmethod
    def create(cls, path: Path) -> "Cell":
        """Make the file at `path` (see `cell_path`) and map it."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, _WORD_BYTES)
            return cls(mmap.mmap(fd, _WORD_BYTES))
        finally:
            os.close(fd)

    def enter(self, token: int) -> None:
        """Record that the code of the job leased with `token` begins to run."""
        self._word[0] = token << 1 | 1

    def leave(self, token: int) -> None:
        """Record that the code of that job has returned; its result is not committed yet."""
        self._word[0] = token << 1

    def close(self) -> None:
        """Unmap; the file stays until `remove_cell`."""
        self._word.release()
        self._memory.close()


def cell_path(database: Path, incarnation: str) -> Path:
    """Return the path of an incarnation's cell."""
    return Path(f"{database}{_FOLDER_SUFFIX}") / incarnation


def stack_path(database: Path, incarnation: str) -> Path:
    """Return where an incarnation writes its stacks on SIGUSR1 (shared/process/child_start.py)."""
    return cell_path(database, incarnation).with_suffix(".stack")


def read_cell(path: Path) -> CellState | None:
    """Return the cell of a dead worker; None if the file is missing or incomplete."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if len(data) != _WORD_BYTES:
        return None
    word = int.from_bytes(data, "little")
    return CellState(token=word >> 1, running=bool(word & 1))


def remove_cell(path: Path) -> None:
    """Delete the file, if it exists."""
    with contextlib.suppress(OSError):
        path.unlink()
