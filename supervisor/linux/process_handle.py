"""A process that the supervisor has started: how its exit is seen and how it is reaped.

An exit is seen by pidfd alone: never by the end of a pipe (a grandchild may hold it open for
hours: process-compose#258, cpython#119710) and never by SIGCHLD (60 exits may give one signal).
The exit is read without reaping the process: while it is a zombie, the kernel does not give its pid
or its process group's id to another process, so the rest of the group can be killed safely.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from orpheus.supervisor.policy.slot import Exit, ProcessCommand


class ExitStatus(NamedTuple):
    """How a process ended: by an exit code or by a signal."""

    code: int | None
    signal: int | None


class ProcessHandle(ABC):
    """The process of one incarnation, from its start to `reap`. Used by the main thread only."""

    def __init__(self, incarnation: str, process: subprocess.Popen[bytes], pidfd: int) -> None:
        self.incarnation = incarnation
        self.pid = process.pid
        self.started_at_ms = time.time_ns() // 1_000_000
        self.pidfd = pidfd
        self._process = process

    @abstractmethod
    def send(self, command: ProcessCommand, within_s: float | None = None) -> None:
        """Send the signal or the message of a command; ignored if the process has just ended."""

    @abstractmethod
    def messages(self, *, has_exited: bool, serves: bool) -> Sequence[Mapping[str, Any]]:
        """Return what it has said since the last call; all that is left if it `has_exited`.

        `serves`: its slot is ready.
        """

    @abstractmethod
    def register(self, poll: select.poll, *, reads: bool) -> None:
        """Wake `poll` when the process ends, and for messages if it `reads`."""

    @abstractmethod
    def peek_exit(self) -> Exit | None:
        """Return how the process ended; None while it runs. It stays a zombie until `reap`."""

    @abstractmethod
    def _close(self) -> None:
        """Close and delete what belongs to the process, which has just been reaped."""

    def wakes_s(self) -> float | None:
        """Return when there is something to do for it though nothing happens; None: never."""
        return None

    def exit_status(self) -> ExitStatus | None:
        """Return how the process ended; None while it runs. It stays a zombie until `reap`."""
        found = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        if found is None:
            return None
        is_code = found.si_code == os.CLD_EXITED
        return ExitStatus(found.si_status, None) if is_code else ExitStatus(None, found.si_status)

    def kill_group(self) -> None:
        """Kill the process, if it still runs, and what else is left of its process group."""
        # Before the leader is reaped, the group's id cannot belong to another group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> None:
        """Kill what is left of the process group, then reap the process. Only after its exit."""
        self.kill_group()
        self._process.wait()
        os.close(self.pidfd)
        self._close()


def open_pidfd(process: subprocess.Popen[bytes], undo: contextlib.ExitStack) -> int:
    """Return a pidfd of a process; `undo` closes it and ends the process. Raises OSError."""
    undo.callback(process.wait)
    undo.callback(process.kill)
    pidfd = os.pidfd_open(process.pid)
    undo.callback(os.close, pidfd)
    return pidfd
