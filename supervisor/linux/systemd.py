"""Tells systemd that the supervisor is ready, reloads, stops, and that its main loop runs.

The sd_notify protocol is a datagram of text lines to a socket that the environment names. It takes
less code than a dependency would. Sending never blocks: a service manager that does not read, or is
gone, must neither stop nor delay the supervisor.
"""

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping
from math import inf


class Notifier:
    """Notifies the service manager, if there is one. Never raises, never blocks."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        """Remove the service manager's variables from `environ`, so that no child inherits them.

        A watchdog meant for another process (WATCHDOG_PID) is ignored.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        interval_us = environ.pop("WATCHDOG_USEC", "")
        meant_for = environ.pop("WATCHDOG_PID", "")
        ours = meant_for in ("", str(os.getpid()))
        watchdog_s = int(interval_us) / 1e6 if ours and interval_us.isdecimal() else inf
        self.turn_every_s = (watchdog_s or inf) / 2
        """How often the main loop must call `turned`, in seconds; infinite without a watchdog."""
        self._turned_s = -inf
        self._is_ready = False
        if address.startswith("@"):  # an abstract socket
            address = "\0" + address[1:]
        self._address = address
        self._socket: socket.socket | None = None
        if address:
            with contextlib.suppress(OSError):
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)

    def ready(self, status: str) -> None:
        """Tell that the start is complete."""
        self._is_ready = True
        self._send("READY=1", _status(status))

    def status(self, text: str) -> None:
        """Send the line that `systemctl status` shows."""
        self._send(_status(text))

    def reloading(self) -> None:
        """Tell that a reload has begun, unless the start is not complete yet."""
        if self._is_ready:
            self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def reloaded(self, status: str) -> None:
        """Tell that a reload is complete, whether it succeeded or not; it completes no start."""
        if self._is_ready:
            self.ready(status)

    def stopping(self) -> None:
        """Tell that the shutdown has begun."""
        self._send("STOPPING=1")

    def turned(self, now_s: float) -> None:
        """Note that the main loop turned; systemd is told twice in each watchdog interval."""
        due = self.turn_every_s < inf and now_s - self._turned_s >= self.turn_every_s
        if due and self._send("WATCHDOG=1"):  # if not, the next turn tries again
            self._turned_s = now_s

    def _send(self, *lines: str) -> bool:
        """Return whether the service manager's socket took the message."""
        if self._socket is None:
            return False
        try:
            self._socket.sendto("\n".join(lines).encode(errors="replace"), self._address)
        except OSError:  # full, gone, or never there
            return False
        return True


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())  # a line break would begin another field
