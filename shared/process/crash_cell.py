"""Crash cells: which job a worker was running when it died, kept in memory instead of a commit.

Each incarnation of a worker maps a file (shared/process/state_files.py) of two 64-bit words, the
lease and the id of its job, and writes there before and after each job's code. That is a store to
memory without a system call, and the page survives the process. After the worker's death it tells
the job that was running (crashed) from those that had run but were not committed (lost) and those
not entered yet (released), because lease tokens only grow in the order in which a worker enters its
jobs. Without it, one poison job among 64 prefetched jobs would spend an attempt of all 64. It also
tells the supervisor whether a death is to be counted against the process or against the job that it
was in.

A worker that runs several jobs at once has a longer file: one word for the lease entered last, and
two for each place, with the lease and the id of the job that runs there.

The id only tells people which job it was; it is written before the lease, whose word decides.
"""

import contextlib
import mmap
import struct
from pathlib import Path

import msgspec

from orpheus.shared.process.files import create_mapped_file
from orpheus.shared.process.last_lines import NO_JOB, ring_path, stray_path

_WORD_BYTES = 8
_WORDS_OF_ONE = 2
_WORDS_OF_MANY = 3  # at least: two more for each further place
_RUNNING = 1
_HAS_ENDED = 2
_OVERDUE = 2  # in the word of a place


class CellState(msgspec.Struct, frozen=True):
    """What a cell says. `token`: the lease entered last; 0: all results have been reported."""

    token: int
    running: bool
    """The code of that lease's job had not returned."""
    has_ended: bool = False
    """The code of some job has returned in this process."""
    together: frozenset[int] | None = None
    """Of a worker that runs several jobs at once: the leases of all jobs that were running."""
    overdue: frozenset[int] = frozenset()
    """Those of them that were past their hard deadline."""
    jobs: tuple[int, ...] = ()
    """The ids of all jobs that were running, ascending."""

    @property
    def running_tokens(self) -> frozenset[int]:
        """The leases of all jobs that were running."""
        if self.together is not None:
            return self.together
        return frozenset({self.token} if self.running else ())

    @property
    def running_token(self) -> int:
        """The lease whose job was running; NO_JOB if there was none, or more than one."""
        tokens = self.running_tokens
        return next(iter(tokens)) if len(tokens) == 1 else NO_JOB


class Cell:
    """The worker's end: all but the id is one mapped word, so it is always written together."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._words = memoryview(memory).cast("Q")
        self._memory = memory
        self._has_ended = 0
        self._before = 0

    @classmethod
    def create(cls, path: Path) -> "Cell":
        """Make the file at `path` (`StateFiles.cell`) and map it; see `create_mapped_file`."""
        return cls(create_mapped_file(path, _WORDS_OF_ONE * _WORD_BYTES))

    def enter(self, token: int, job_id: int) -> None:
        """Record that the code of the job leased with `token` begins to run."""
        self._before = self._words[0]
        self._words[1] = job_id
        self._words[0] = token << 2 | self._has_ended | _RUNNING

    def undo_enter(self) -> None:
        """Record that the job entered last does not run after all."""
        self._words[0] = self._before

    def leave(self, token: int) -> None:
        """Record that the code of that job has returned; its result is not committed yet."""
        self._has_ended = _HAS_ENDED
        self._words[0] = token << 2 | _HAS_ENDED

    def clear(self) -> None:
        """Record that the result of every job that was entered is committed."""
        self._words[0] = self._has_ended

    def close(self) -> None:
        """Unmap; the file stays until `remove_cell`."""
        self._words.release()
        self._memory.close()


class CellOfMany:
    """The same for a worker that runs several jobs at once; its places are counted from 0.

    One thread at a time may call its methods. Each word is written at once, and a reader may come
    between any two: a job counts as running from the first write of `enter` to the last of `leave`.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._words = memoryview(memory).cast("Q")
        self._memory = memory
        self._has_ended = 0
        self._entered = self._before = 0

    @classmethod
    def create(cls, path: Path, places: int) -> "CellOfMany":
        """Make the file at `path` (`StateFiles.cell`) and map it; see `create_mapped_file`."""
        return cls(create_mapped_file(path, (1 + 2 * places) * _WORD_BYTES))

    def enter(self, place: int, token: int, job_id: int) -> None:
        """Record that the code of the job leased with `token` begins to run in a free place."""
        self._words[2 + 2 * place] = job_id
        self._words[1 + 2 * place] = token << 2 | _RUNNING
        self._before, self._entered = self._entered, token
        self._words[0] = token << 2 | self._has_ended

    def undo_enter(self, place: int) -> None:
        """Record that the job entered last does not run after all."""
        self._entered = self._before
        self._words[0] = self._entered << 2 | self._has_ended
        self._words[1 + 2 * place] = 0

    def mark_overdue(self, place: int) -> None:
        """Record that the job in that place is past its hard deadline: a kill is its doing."""
        self._words[1 + 2 * place] |= _OVERDUE

    def leave(self, place: int) -> None:
        """Record that the code of the job in that place has returned."""
        self._has_ended = _HAS_ENDED
        self._words[0] = self._entered << 2 | _HAS_ENDED
        self._words[1 + 2 * place] = 0

    def clear(self) -> None:
        """Record that the result of every job that was entered is committed."""
        self._entered = 0
        self._words[0] = self._has_ended

    def close(self) -> None:
        """Unmap; the file stays until `remove_cell`."""
        self._words.release()
        self._memory.close()


def read_cell(path: Path) -> CellState | None:
    """Return the cell of a dead worker; None if the file is missing or incomplete."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    count, remainder = divmod(len(data), _WORD_BYTES)
    if remainder or (count != _WORDS_OF_ONE and (count < _WORDS_OF_MANY or count % 2 == 0)):
        return None
    word, *rest = struct.unpack(f"<{count}Q", data)
    has_ended = bool(word & _HAS_ENDED)
    if count == _WORDS_OF_ONE:
        running = bool(word & _RUNNING)
        return CellState(word >> 2, running, has_ended, jobs=tuple(rest) if running else ())
    places = [(lease, job_id) for lease, job_id in zip(rest[::2], rest[1::2], strict=True) if lease]
    together = frozenset(lease >> 2 for lease, _ in places)
    overdue = frozenset(lease >> 2 for lease, _ in places if lease & _OVERDUE)
    jobs = tuple(sorted(job_id for _, job_id in places))
    return CellState(word >> 2, bool(together), has_ended, together, overdue, jobs)


def remove_cell(path: Path) -> None:
    """Delete a cell and the files beside it that hold last lines, if they exist."""
    for file in (path, ring_path(path), stray_path(path)):
        with contextlib.suppress(OSError):
            file.unlink()
