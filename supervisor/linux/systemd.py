"""What systemd is told: ready, reloading, stopping, and that the main loop turns.

The sd_notify protocol is a datagram of text lines to a socket that the environment names. It is
spoken by hand, as that is less code than a dependency, and as a watchdog must not wait: a service
manager that does not read, or is gone, is no reason for the supervisor to stop or to fail.
"""

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping
from math import inf
from typing import Self


class Notifier:
    """Tells the service manager, if there is one. Never raises, never waits."""

    def __init__(self, address: str | None, watchdog_s: float = inf) -> None:
        self._address = address
        self.turn_every_s = watchdog_s / 2
        """So often at least the main loop is to say that it turns; seconds, infinite: never."""
        self._turned_s = -inf
        self._socket: socket.socket | None = None
        if address is not None:
            with contextlib.suppress(OSError):
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)

    @classmethod
    def from_environ(cls, environ: MutableMapping[str, str]) -> Self:
        """Take the service manager's variables out of `environ`: they are not for our children.

        A watchdog meant for another process (WATCHDOG_PID) is left alone.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        interval_us = environ.pop("WATCHDOG_USEC", "")
        meant_for = environ.pop("WATCHDOG_PID", "")
        ours = meant_for in ("", str(os.getpid()))
        watchdog_s = int(interval_us) / 1e6 if ours and interval_us.isdecimal() else inf
        if address.startswith("@"):  # a name without a file
            address = "\0" + address[1:]
        return cls(address or None, watchdog_s or inf)

    def ready(self, status: str) -> None:
        """Everything that start or reload had to do is done."""
        self._send("READY=1", _status(status))

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(_status(text))

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it, whatever came of it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def turned(self, now_s: float) -> None:
        """The main loop has made a healthy turn; passed on twice in each watchdog interval."""
        due = self.turn_every_s < inf and now_s - self._turned_s >= self.turn_every_s
        if due and self._send("WATCHDOG=1"):  # else again with the next turn
            self._turned_s = now_s

    def close(self) -> None:
        """Say nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> bool:
        """Whether it was taken."""
        if self._socket is None or self._address is None:
            return False
        try:
            self._socket.sendto("\n".join(lines).encode(errors="replace"), self._address)
        except OSError:  # full, gone, or never there
            return False
        return True


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())  # a line break would begin another field
