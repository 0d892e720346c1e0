"""The control channel between the supervisor and each child: a socketpair of JSON lines.

The supervisor's first line is the handover (the child's settings). Then the child says `ready`
and `beat`, the supervisor says `drain` and `stop` (`within_s`: jobs that are unfinished after so
long are given up; only this message shortens a stop, because others can send the same signal). EOF
tells the child that its supervisor died, without polling a pid that may be reused by now.

A message for which there is no room is dropped: a child that does not read loses messages. Only the
rest of a message that was sent in part is waited for, at most a second.
"""

import json
import os
import select
import socket
from typing import Any

_READ_BYTES = 65_536
_LONGEST_LINE_BYTES = 1_048_576


class Channel:
    """One end of a control channel. Used by one thread for reading; `send` is safe from any."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._unread = b""
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

    def send(self, message: dict[str, Any]) -> bool:
        """Send one message whole, or return False (the other end is gone, or does not read)."""
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            sent = self._socket.send(line, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        except OSError:
            self.closed = True
            return False
        if sent < len(line):  # finish the line, or the next one would not be readable
            return self._send_rest(line[sent:])
        return True

    def _send_rest(self, rest: bytes) -> bool:
        while rest:
            _, writable, _ = select.select([], [self._socket], [], 1.0)
            if not writable:
                self.close()
                return False
            try:
                rest = rest[self._socket.send(rest, socket.MSG_NOSIGNAL) :]
            except OSError:
                self.closed = True
                return False
        return True

    def receive(self) -> list[dict[str, Any]]:
        """Return every whole message that has arrived. Sets `closed` when the other end is gone.

        A line that is not a JSON object is dropped: a child's bug must not stop its supervisor.
        """
        while True:
            try:
                data = self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                break
            except OSError:
                self.closed = True
                break
            if not data:
                self.closed = True
                break
            self._unread += data
            if len(self._unread) > _LONGEST_LINE_BYTES and b"\n" not in self._unread:
                self.close()
                break
        *lines, self._unread = self._unread.split(b"\n")
        return [message for line in lines if (message := _decode(line)) is not None]

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
