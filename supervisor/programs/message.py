"""The socket between the supervisor and the process that keeps the output of programs.

Each message is one packet of JSON, and may carry descriptors. The supervisor sends `open` (with the
read ends of a program's pipes), `limits`, `drain` and `beat`. The other process sends `ready` (the
line was found that a program's `ready` waits for), `drained` (all that a program wrote before its
end is kept), and `beat` when it is asked for one.
"""

import json
import os
import select
import socket
from collections import deque
from collections.abc import Sequence
from typing import Any

_LARGEST_BYTES = 131_072
_MOST_DESCRIPTORS = 4


class Packets:
    """One end of the socket. It never waits: what has no room now is sent by a later `flush`."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._unsent: deque[tuple[bytes, Sequence[int]]] = deque()
        self.closed = False
        """The other end is gone."""

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def poll_events(self) -> int:
        """Return what to wait for."""
        return select.POLLIN | (select.POLLOUT if self._unsent else 0)

    def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Send a message; `fds` must stay open until it is sent."""
        self._unsent.append((json.dumps(message).encode(), fds))
        self.flush()

    def withdraw(self, fds: Sequence[int]) -> None:
        """Do not send these any more: they are about to be closed, and their numbers reused."""
        self._unsent = deque(unsent for unsent in self._unsent if unsent[1] != fds)

    def flush(self) -> None:
        """Send what there is room for."""
        while self._unsent and not self.closed:
            packet, fds = self._unsent[0]
            try:
                socket.send_fds(self._socket, [packet], fds, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError:
                self.closed = True
                return
            self._unsent.popleft()

    def receive(self) -> list[tuple[dict[str, Any], list[int]]]:
        """Return the messages that have arrived, each with its descriptors. Sets `closed`."""
        found = []
        while not self.closed:
            try:
                packet, fds, _, _ = socket.recv_fds(
                    self._socket, _LARGEST_BYTES, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                break
            except OSError:
                packet, fds = b"", []
            if not packet:
                self.closed = True
                break
            found.append((json.loads(packet), fds))
        return found

    def close(self) -> None:
        """Close this end; the other end notices."""
        self.closed = True
        self._socket.close()


def close_all(fds: Sequence[int]) -> None:
    """Close descriptors."""
    for fd in fds:
        os.close(fd)
