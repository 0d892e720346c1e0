"""The output of a program in files of a bounded size: how it is written there, and read.

Each slot has a folder. Its files are named after the position of their first byte in all that the
slot has ever written (`00000000000000000000.log`), so that the position of a line's end is its id:
it rises, it survives restarts, and a reader finds what comes after an id without reading the rest.
`current` is a link to the newest file, for `tail -F`. A line is `TIME STREAM TEXT`.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from orpheus.shared.process.files import make_folder

STDOUT, STDERR, ORPHEUS = "stdout", "stderr", "orpheus"
"""The streams; the last one has what Orpheus itself says of the process."""
_CURRENT = "current"
_FILE = re.compile(r"[0-9]{20}\.log", re.ASCII)
_MOST_BYTES = 2**20
_TRIES = 20


class ProgramLine(msgspec.Struct, frozen=True):
    """A line of output. `id` is greater than that of every earlier line of the slot."""

    id: int
    at: str
    """When it was read from the program, as RFC 3339 in UTC."""
    stream: str
    line: str


class LogFiles:
    """Writes the files of one slot. They take up `size_bytes` times `files` at most."""

    def __init__(self, folder: Path, size_bytes: int, files: int) -> None:
        self.size_bytes = size_bytes
        self.files = files
        self._folder = folder
        self._fd = -1
        self._start = self._length = 0

    def write(self, lines: bytes) -> None:
        """Append whole lines, beginning a new file wherever one is full. Raises OSError."""
        if self._fd < 0:
            self._open_newest()
        while lines:
            room = max(0, self.size_bytes - self._length)
            part = lines[:room]
            end = part.rfind(b"\n") + 1 if len(part) < len(lines) else len(part)
            if end:
                self._append(lines[:end])
                lines = lines[end:]
            elif self._length:
                self._begin_next()
            else:  # a line that is longer than a file: it goes on as another line
                self._append(part[:-1] + b"\n")
                lines = _head(part) + lines[room - 1 :]
            if lines:
                self._begin_next()

    def close(self) -> None:
        """Close the file; the next `write` goes on in it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _append(self, data: bytes) -> None:
        while data:
            try:
                written = os.write(self._fd, data)
            except OSError:
                self.close()  # the end of the file may be a part of a line: `_open_newest` mends it
                raise
            self._length += written
            data = data[written:]

    def _open_newest(self) -> None:
        make_folder(self._folder)
        existing = _files(self._folder)
        self._start = existing[-1][0] if existing else 0
        self._open_file()
        if self._length and os.pread(self._fd, 1, self._length - 1) != b"\n":
            self._append(b"\n")
        self._delete_oldest()

    def _begin_next(self) -> None:
        if self._length:
            self.close()
            self._start += self._length
            self._open_file()
            self._delete_oldest()

    def _open_file(self) -> None:
        name = f"{self._start:020}.log"
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        make_folder(self._folder)
        self._fd = os.open(self._folder / name, flags, 0o600)
        self._length = os.fstat(self._fd).st_size
        new = self._folder / f"{_CURRENT}.new"
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
            new.symlink_to(name)
            new.replace(self._folder / _CURRENT)

    def _delete_oldest(self) -> None:
        for _, path in _files(self._folder)[: -self.files]:
            with contextlib.suppress(OSError):
                path.unlink()


def read_lines(
    folder: Path, after: int | None, before: int | None, limit: int
) -> list[ProgramLine]:
    """Return lines, oldest first: at most `limit`, of a MiB.

    They are those that follow the line with the id `after`, or else the newest ones; `before`: only
    lines with a smaller id. They begin with the oldest line if what follows `after` is no longer
    there, or the files are others.
    """
    for _ in range(_TRIES):
        with contextlib.suppress(FileNotFoundError):  # a file was deleted meanwhile
            if not (files := _files(folder)):
                break
            return _chosen(files, after, before, limit)
    return []


def _chosen(
    files: list[tuple[int, Path]], after: int | None, before: int | None, limit: int
) -> list[ProgramLine]:
    oldest, end = files[0][0], files[-1][0] + files[-1][1].stat().st_size
    if after is None:
        start = max(oldest, min(end if before is None else before, end) - _MOST_BYTES)
        lines = _lines(files, start)
    else:
        lines = islice(_lines(files, after if oldest <= after <= end else oldest), limit)
    found = [line for line in lines if before is None or line.id < before]
    return found[-limit:]


def _files(folder: Path) -> list[tuple[int, Path]]:
    """Return the position of each file's first byte, and the file, oldest first."""
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if _FILE.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [(int(name.removesuffix(".log")), folder / name) for name in sorted(names)]


def _lines(files: list[tuple[int, Path]], start: int) -> Iterator[ProgramLine]:
    """Yield the whole lines in the MiB from `start` on. Raises FileNotFoundError.

    Of a program that writes much, the older files may be deleted while they are read.
    """
    left = _MOST_BYTES
    for position, (begins, path) in enumerate(files):
        ends = files[position + 1][0] if position + 1 < len(files) else None
        if left <= 0 or (ends is not None and ends <= start):
            continue
        at = max(begins, start)
        try:
            with path.open("rb") as file:
                file.seek(max(0, at - begins - 1))
                data = file.read(left + 1)
        except FileNotFoundError:
            if ends is None:  # the newest one has gone, too: begin anew
                raise
            continue
        left -= len(data)
        if at > begins:  # the byte before tells whether a line begins here
            head = data.find(b"\n") + 1
            data, at = data[head:], at + head - 1
        for line in data.split(b"\n")[:-1]:
            at += len(line) + 1
            if (parsed := _parsed(at, line)) is not None:
                yield parsed


def _head(line: bytes) -> bytes:
    """Return what a line begins with: its time and its stream."""
    at, stream, _ = line.split(b" ", 2)
    return b"%b %b " % (at, stream)


def _parsed(id: int, line: bytes) -> ProgramLine | None:
    at, _, rest = line.rstrip(b"\r").decode(errors="backslashreplace").partition(" ")
    stream, space, text = rest.partition(" ")
    return ProgramLine(id, at, stream, text) if space else None
