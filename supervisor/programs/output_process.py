"""The process that keeps the output of all programs: reads their pipes, writes rotating files.

A program must never wait for its log, whatever it writes and however slow the disk is. So one
thread only reads the pipes, and hands the lines to another one that writes them. What that one
cannot keep up with is dropped and counted, and the log says how much. This is a process of its own
for two reasons: a program that floods its pipe would keep the supervisor's interpreter busy, and
if the supervisor dies, it reads on until the last program has ended. If it dies itself, only what
it had not written is lost: the supervisor holds the pipes, too, and starts another one.

docs/adr/0025-one-process-keeps-the-output-of-programs.md has the other ways.
"""

import contextlib
import os
import re
import select
import signal
import socket
import sys
import time
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import msgspec

from orpheus.shared.moments import rfc3339
from orpheus.shared.process.program_logs import ORPHEUS, STDERR, STDOUT, LogFiles
from orpheus.supervisor.programs.message import Packets, close_all

_READ_BYTES = 262_144
_LONGEST_LINE_BYTES = 16_384
_MOST_COMPARED = 4_096
"""Characters of a line that are compared with what `ready` waits for."""
_MOST_LAST_READS = 16
_TAIL_BYTES = 4_096
_TAIL_LINES = 20
_MOST_WAITING_BYTES = 8 * 2**20
"""How much of one slot may be read and not yet written."""
_RETRY_S = 1.0
"""How long to wait after an error, such as a full disk; what comes meanwhile is dropped."""


class Spool:
    """What waits to be written to the log of one slot."""

    def __init__(self, folder: Path) -> None:
        self.files = LogFiles(folder, 0, 1)
        self.waiting: list[bytes] = []
        self.waiting_bytes = 0
        self.dropped_bytes = 0
        self.retry_at_s = 0.0


class WriterThread(Thread):
    """Writes the spools of all slots to their files."""

    def __init__(self) -> None:
        super().__init__(name="writer", daemon=True)
        self._spools: dict[str, Spool] = {}
        self._changed = Condition()
        self._busy = False

    def set_limits(self, slot: str, folder: str, size_bytes: int, files: int) -> None:
        """Make the spool of a slot, or change how much its files may take up."""
        with self._changed:
            spool = self._spools.setdefault(slot, Spool(Path(folder)))
        spool.files.size_bytes, spool.files.files = size_bytes, files

    def add(self, slot: str, lines: bytes) -> None:
        """Have whole lines written, or drop them if too much waits already."""
        spool = self._spools[slot]
        with self._changed:
            if spool.waiting_bytes + len(lines) > _MOST_WAITING_BYTES:
                spool.dropped_bytes += len(lines)
                return
            spool.waiting.append(lines)
            spool.waiting_bytes += len(lines)
            self._changed.notify()

    def wait_until_written(self, timeout_s: float) -> None:
        """Wait until everything is written."""
        until_s = time.monotonic() + timeout_s
        with self._changed:
            while self._busy or any(spool.waiting for spool in self._spools.values()):
                if (left_s := until_s - time.monotonic()) <= 0:
                    return
                self._changed.wait(min(left_s, 0.05))

    def run(self) -> None:
        """Write, for ever."""
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while not (due := self._due()):
                    self._changed.wait(_RETRY_S)
                self._busy = True
                batch = [(spool, self._take(spool)) for spool in due]
            for spool, lines in batch:
                self._write(spool, lines)

    def _due(self) -> list[Spool]:
        now_s = time.monotonic()
        return [
            spool
            for spool in self._spools.values()
            if (spool.waiting or spool.dropped_bytes) and now_s >= spool.retry_at_s
        ]

    @staticmethod
    def _take(spool: Spool) -> bytes:
        lines = b"".join(spool.waiting)
        if spool.dropped_bytes:
            note = f"{spool.dropped_bytes} bytes of output were dropped: they came faster than the "
            lines += note_line(f"{note}disk took them, or it was full")
        spool.waiting, spool.waiting_bytes, spool.dropped_bytes = [], 0, 0
        return lines

    def _write(self, spool: Spool, lines: bytes) -> None:
        try:
            spool.files.write(lines)
        except OSError:
            with self._changed:
                spool.dropped_bytes += len(lines)
                spool.retry_at_s = time.monotonic() + _RETRY_S


class Origin(msgspec.Struct):
    """The pipes of one process of a program."""

    incarnation: str
    slot: str
    ready_line: re.Pattern[str] | None
    streams: dict[int, str]
    """Descriptor -> the stream that it is the end of; without those that have ended."""
    partial: dict[int, bytes] = msgspec.field(default_factory=dict)
    tails: dict[str, bytes] = msgspec.field(default_factory=dict)
    """Stream -> the last of what was written to it."""
    is_ready: bool = False
    """The line that it is ready after was found."""
    is_drained: bool = False
    """The supervisor knows what it wrote last."""

    def last_lines(self) -> str:
        """Return the last lines of its stderr, or of its stdout if its stderr is empty."""
        tail = self.tails.get(STDERR) or self.tails.get(STDOUT) or b""
        lines = tail.decode(errors="replace").splitlines()
        if len(tail) >= _TAIL_BYTES and len(lines) > 1:
            del lines[0]  # its start is missing
        return "\n".join(lines[-_TAIL_LINES:])


class Reader:
    """Reads all pipes on the main thread."""

    def __init__(self, packets: Packets, writer: WriterThread) -> None:
        self._packets = packets
        self._writer = writer
        self._sources: dict[str, Origin] = {}
        self._by_fd: dict[int, Origin] = {}
        self._poll = select.poll()

    def run(self) -> None:
        """Read until the supervisor is gone and all pipes have ended."""
        while self._by_fd or not self._packets.closed:
            if not self._packets.closed:
                self._poll.register(self._packets, self._packets.poll_events())
            else:  # the closed socket would always be readable
                with contextlib.suppress(KeyError):
                    self._poll.unregister(self._packets)
            ready = self._poll.poll()
            for fd, _ in ready:
                if fd in self._by_fd:
                    self._read(fd)
            self._answer()

    def _answer(self) -> None:
        if self._packets.closed:
            return
        self._packets.flush()
        for message, fds in self._packets.receive():
            match message["do"]:
                case "open":
                    self._open(message, fds)
                case "limits":
                    self._set_limits(message)
                    self._look_for(message["slot"], message["ready_line"])
                case "drain":
                    self._drain(message["incarnation"], message["note"])
                case "beat":
                    self._packets.send({"say": "beat"})

    def _set_limits(self, message: dict[str, Any]) -> None:
        slot, folder = message["slot"], message["folder"]
        self._writer.set_limits(slot, folder, message["size_bytes"], message["files"])

    def _look_for(self, slot: str, line: str | None) -> None:
        """Look for another line from now on."""
        for source in self._sources.values():
            if source.slot == slot and not source.is_ready:
                source.ready_line = _pattern(line)

    def _open(self, message: dict[str, Any], fds: list[int]) -> None:
        if len(fds) != 2:  # the program ended before this was sent, or no descriptor is left
            close_all(fds)
            return
        self._set_limits(message)
        slot, incarnation, line = message["slot"], message["incarnation"], message["ready_line"]
        streams = dict(zip(fds, (STDOUT, STDERR), strict=True))
        source = self._sources[incarnation] = Origin(incarnation, slot, _pattern(line), streams)
        for fd in fds:
            self._by_fd[fd] = source
            self._poll.register(fd, select.POLLIN)
        if message["note"]:
            self._writer.add(slot, note_line(message["note"]))

    def _drain(self, incarnation: str, note: str) -> None:
        """Read what a process that has ended has left in its pipes, and tell how it ended."""
        source = self._sources.get(incarnation)
        tail = ""
        if source is not None:
            for fd in list(source.streams):
                for _ in range(_MOST_LAST_READS):  # what it has left running may write for ever
                    if not self._read(fd):
                        break
                self._keep_rest(source, fd)
            self._writer.add(source.slot, note_line(note))
            tail, source.is_drained = source.last_lines(), True
            self._forget(source)
        self._packets.send({"say": "drained", "incarnation": incarnation, "tail": tail})

    def _read(self, fd: int) -> bool:
        """Read once from a pipe; return whether there may be more."""
        source = self._by_fd[fd]
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._keep_rest(source, fd)
            self._close(source, fd)
            return False
        stream = source.streams[fd]
        source.tails[stream] = (source.tails.get(stream, b"") + data[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        lines, newline, rest = (source.partial.pop(fd, b"") + data).rpartition(b"\n")
        if len(rest) > _LONGEST_LINE_BYTES:
            lines, newline, rest = lines + newline + rest, b"\n", b""
        if newline:
            self._keep(source, stream, lines)
            self._compare(source, lines)
        if rest:
            source.partial[fd] = rest
        return len(data) == _READ_BYTES

    def _keep_rest(self, source: Origin, fd: int) -> None:
        """Keep a last line that has no newline."""
        rest = source.partial.pop(fd, b"")
        if rest:
            self._keep(source, source.streams[fd], rest)

    def _keep(self, source: Origin, stream: str, lines: bytes) -> None:
        head = f"{_now()} {stream} ".encode()
        self._writer.add(source.slot, head + lines.replace(b"\n", b"\n" + head) + b"\n")

    def _compare(self, source: Origin, lines: bytes) -> None:
        pattern = source.ready_line
        if pattern is None:
            return
        text = lines.decode(errors="replace")
        if any(pattern.search(line[:_MOST_COMPARED]) for line in text.split("\n")):
            source.ready_line, source.is_ready = None, True
            self._packets.send({"say": "ready", "incarnation": source.incarnation})

    def _close(self, source: Origin, fd: int) -> None:
        self._poll.unregister(fd)
        os.close(fd)
        del self._by_fd[fd], source.streams[fd]
        self._forget(source)

    def _forget(self, source: Origin) -> None:
        """Forget a process whose pipes have ended and whose last lines are known."""
        if source.is_drained and not source.streams:
            del self._sources[source.incarnation]


def _pattern(line: str | None) -> re.Pattern[str] | None:
    return None if line is None else re.compile(line)


def note_line(text: str) -> bytes:
    """Return a line that Orpheus itself adds to a log."""
    return f"{_now()} {ORPHEUS} {' '.join(text.split())}\n".encode(errors="replace")


def _now() -> str:
    return rfc3339(time.time_ns() // 1_000_000)


def main(control_fd: int) -> None:
    """Keep output until the supervisor is gone and every pipe has ended."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the programs end first, and say why
    os.set_inheritable(control_fd, False)
    writer = WriterThread()
    writer.start()
    packets = Packets(socket.socket(fileno=control_fd))
    with contextlib.suppress(KeyboardInterrupt):
        Reader(packets, writer).run()
    writer.wait_until_written(_RETRY_S)


if __name__ == "__main__":
    main(int(sys.argv[1]))
