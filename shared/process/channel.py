"""The control channel between the supervisor and each child: a socketpair of JSON lines.

The supervisor's first line is the handover (the child's settings). Then the child says `ready`
and `beat`, the supervisor says `drain`, `stack` (write the stacks of all threads) and `stop`
(`within_s`: jobs that are unfinished after so long are given up; only this message shortens a stop,
because others can send the same signal). EOF tells the child that its supervisor died, without
polling a pid that may be reused by now.

Nothing waits here. What there is no room for is kept, and sent by `flush` once the other end has
read; a process that never reads is ended by the time limit of its state (the start, the drain, the
stop). One call reads at most 64 KiB, so a process that writes without pause does not delay others.
"""

import json
import os
import select
import socket
import threading
from collections import deque
from typing import Any

EVIDENCE_LENGTH = 8_192
"""How many characters are kept of a traceback or a stack that shows why a process ended."""
_READ_BYTES = 65_536
_LONGEST_LINE_BYTES = 1_048_576
_MOST_UNSENT = 100  # messages
_MOST_LAST_READS = 16


class Channel:
    """One end of a control channel. Used by one thread for reading; `send` is safe from any."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._unread = b""
        self._unsent: deque[bytes] = deque()
        self._sending = threading.Lock()
        self.closed = False
        """True once the other end is gone."""

    @classmethod
    def pair(cls) -> tuple["Channel", socket.socket]:
        """Return the supervisor's channel, and the socket whose descriptor the child inherits."""
        ours, theirs = socket.socketpair()
        return cls(ours), theirs

    @classmethod
    def from_fd(cls, fd: int) -> "Channel":
        """Return the child's end of an inherited descriptor; its own children do not inherit it."""
        os.set_inheritable(fd, False)
        return cls(socket.socket(fileno=fd))

    def fileno(self) -> int:
        """Return the descriptor to wait on for reading."""
        return self._socket.fileno()

    def poll_events(self, *, reads: bool = True) -> int:
        """Return what to wait for: data if it `reads`, and room if something is unsent."""
        return (select.POLLIN if reads else 0) | (select.POLLOUT if self._unsent else 0)

    def send(self, message: dict[str, Any]) -> bool:
        """Send one message, or keep it for `flush`.

        Return False if it is dropped: the other end is gone, or has not read for 100 messages.
        """
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with self._sending:
            if self.closed or len(self._unsent) >= _MOST_UNSENT:
                return False
            self._unsent.append(line)
            self._send_unsent()
            return not self.closed

    def flush(self) -> None:
        """Send waiting messages, as far as there is room."""
        with self._sending:
            self._send_unsent()

    def _send_unsent(self) -> None:
        while self._unsent and not self.closed:
            line = self._unsent.popleft()
            try:
                sent = self._socket.send(line, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.closed = True
                return
            if sent < len(line):
                self._unsent.appendleft(line[sent:])
                return

    def receive(self) -> list[dict[str, Any]]:
        """Return the messages that one read finds. Sets `closed` when the other end is gone.

        A line that is not a JSON object is dropped: a child's bug must not stop its supervisor.
        """
        self._read()
        *lines, self._unread = self._unread.split(b"\n")
        return [message for line in lines if (message := _decode(line)) is not None]

    def receive_last(self) -> list[dict[str, Any]]:
        """Return what a process that has ended left in the channel, up to 1 MiB.

        A program that it started may hold the channel open, and write more.
        """
        return [message for _ in range(_MOST_LAST_READS) for message in self.receive()]

    def _read(self) -> None:
        if self.closed:
            return
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._unread += data
        if not data:
            self.closed = True
        elif len(self._unread) > _LONGEST_LINE_BYTES and b"\n" not in self._unread:
            self.close()

    def receive_first(self, timeout_s: float) -> dict[str, Any] | None:
        """Wait for the first message; return None if the other end closes or sends nothing."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while poll.poll(timeout_s * 1000):
            data = self._socket.recv(_READ_BYTES)
            if not data:
                self.closed = True
                return None
            self._unread += data
            if b"\n" in self._unread:
                line, self._unread = self._unread.split(b"\n", 1)
                return _decode(line)
        return None

    def close(self) -> None:
        """Close this end; the other one sees EOF."""
        self.closed = True
        self._socket.close()


def _decode(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
