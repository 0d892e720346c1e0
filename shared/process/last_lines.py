"""The newest log lines of a worker's jobs, kept in memory that survives the worker.

Log lines are stored in the database some times a second. What a job says just before a crash tells
why it crashed, so each line is first copied into a file that is mapped into memory, beside the
crash cell: one store to memory without a system call, and the page survives the process.
Whoever ends the leases of the dead process reads the file (`read_last_lines`) and stores what had
not been stored.

What C code and child processes of a job write to descriptors 1 and 2 is in a second file, from
which the worker takes it into the job's log (worker/attempt/stray_output.py). The first eight bytes
of the mapped file say how much it has taken.

The rest of the mapped file is a ring of records. Two NULs begin and end a record, and it holds no
others: so records are found in a ring in which newer ones have overwritten parts of older ones. A
token that stands at both ends of a record shows that it is whole.
"""

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from orpheus.shared.process.files import create_mapped_file
from orpheus.shared.text import storable

_HEADER_BYTES = 8
_RING_BYTES = 262_144
_FIELDS = 7
_LONGEST_STRAY_BYTES = 65_536
NO_JOB = 0
"""The token of output that the worker had not taken and that no job has written."""
STRAY_NUMBER = 1_000_000
"""The number of the first line of output that the worker had not taken: after all others."""


class LastLine(msgspec.Struct, frozen=True):
    """A line of the attempt that was leased with `token`; `number` counts its lines from 0."""

    token: int
    number: int
    at_ms: int
    level: str
    line: str
    fields: str = "{}"


class LineRing:
    """The worker's end. Any thread may call `keep`: it takes no lock."""

    def __init__(self, memory: mmap.mmap) -> None:
        self.pid = os.getpid()
        """The process that made it; a forked child shares the memory and must not write there."""
        self._memory = memory
        self._taken = memoryview(memory)[:_HEADER_BYTES].cast("Q")
        self._end = 0

    @classmethod
    def create(cls, cell: Path) -> "LineRing":
        """Make the file beside an incarnation's cell; see `create_mapped_file`."""
        return cls(create_mapped_file(ring_path(cell), _HEADER_BYTES + _RING_BYTES))

    def keep(
        self,
        token: int,
        number: int,
        at_ms: int,
        level: str,
        line: str,
        fields: str = "{}",
        *,
        is_whole: bool = True,
    ) -> None:
        """Keep a line. One that is not whole is overwritten by the next."""
        text = f"\0\0{token}\0{number}\0{at_ms}\0{level}\0{fields}\0={line}\0{token}\0\0"
        record = text.encode()
        size = len(record)
        start = self._end  # until it is set again nothing is called, so no thread comes between
        if start + size > _RING_BYTES:
            start = 0
        if is_whole:
            self._end = start + size
        if size <= _RING_BYTES:
            self._memory[_HEADER_BYTES + start : _HEADER_BYTES + start + size] = record

    def note_taken(self, size: int) -> None:
        """Note how many bytes of the stray output are in the log."""
        self._taken[0] = size


def ring_path(cell: Path) -> Path:
    """Return the path of the mapped file beside a cell."""
    return cell.with_suffix(".lines")


def stray_path(cell: Path) -> Path:
    """Return the path of the file with the stray output beside a cell."""
    return cell.with_suffix(".out")


def read_last_lines(cell: Path, running_token: int = NO_JOB) -> list[LastLine]:
    """Return the lines that a dead worker left, by number; none if the files are missing.

    Stray output that the worker had not taken is of the job that was running, by its token.
    """
    try:
        data = ring_path(cell).read_bytes()
    except OSError:
        return []
    found: dict[tuple[int, int], LastLine] = {}
    for record in _records(data[_HEADER_BYTES:]):
        older = found.get((record.token, record.number))
        if older is None or (older.at_ms, len(older.line)) <= (record.at_ms, len(record.line)):
            found[record.token, record.number] = record
    lines = sorted(found.values(), key=lambda line: (line.token, line.number))
    taken = int.from_bytes(data[:_HEADER_BYTES], "little")
    return [*lines, *_stray_lines(stray_path(cell), taken, running_token)]


def _records(ring: bytes) -> Iterator[LastLine]:
    for record in ring.split(b"\0\0"):
        parts = record.decode(errors="replace").strip("\0").split("\0")
        if len(parts) == _FIELDS and parts[0] == parts[-1] and "".join(parts[:3]).isdigit():
            token, number, at_ms, level, fields, line, _ = parts
            yield LastLine(int(token), int(number), int(at_ms), level, line[1:], fields)


def _stray_lines(path: Path, taken: int, token: int) -> Iterator[LastLine]:
    try:
        status = path.stat()
        with path.open("rb") as file:
            if status.st_size < taken:  # a program has emptied the file since
                taken = 0
            file.seek(max(taken, status.st_size - _LONGEST_STRAY_BYTES))
            data = file.read(_LONGEST_STRAY_BYTES)
    except OSError:
        return
    for number, line in enumerate(data.splitlines(), STRAY_NUMBER):
        text = storable(line.decode(errors="backslashreplace"))
        yield LastLine(token, number, status.st_mtime_ns // 1_000_000, "info", text)
