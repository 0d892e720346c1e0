"""A program that a job runs: its own session, its output as lines, the end of its whole group.

The exit is seen by pidfd, not by the end of a pipe: processes that the program leaves running may
hold the pipe open for hours. The exit is first only looked at (WNOWAIT). While the leader is a
zombie that is not reaped, no other process group can get its id, so the group is killed before the
leader is reaped.
"""

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from orpheus.worker.attempt.context import CannotFollow

_READ_BYTES = 65_536
_MAX_LINE_BYTES = 16_384
_KILL_GRACE_S = 0.5
_CHECK_EVERY_S = 0.05
_MAX_POLL_S = 3_600.0


class CommandProcess:
    """A running program. Any thread may call `kill`; the rest is for the thread that started it.

    Raises OSError if the program cannot be started, and CannotFollow.
    """

    def __init__(self, argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> None:
        # subprocess.DEVNULL would stay open if no pipe can be made, in Python 3.11.2 (gh-87474).
        with Path(os.devnull).open("rb") as nothing:
            self._process = subprocess.Popen(
                argv,
                cwd=cwd or None,
                env=env,
                stdin=nothing,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.stdout, self.stderr = self._process.stdout, self._process.stderr
        self.kill_requested = False
        """`kill` was called: this process is exiting."""
        self.peak_kib: int | None = None
        """The most memory that it had in use, in KiB, once it is reaped."""
        self._reap_lock = threading.Lock()
        self._is_reaped = False
        try:
            self.pidfd = os.pidfd_open(self._process.pid)
        except OSError as error:  # no more files may be opened
            self._reap()
            raise CannotFollow(f"the program cannot be followed: {error.strerror}") from None

    def has_exited(self) -> bool:
        """Return whether the program itself has exited; it stays a zombie until `reap`."""
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PIDFD, self.pidfd, options) is not None

    def is_gone(self) -> bool:
        """Return whether every process of its group has exited."""
        return self.has_exited() and not self._group_runs()

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to its process group, and SIGCONT so that a stopped process receives it."""
        with self._reap_lock, contextlib.suppress(ProcessLookupError, PermissionError):
            if not self._is_reaped:
                os.killpg(self._process.pid, number)
                os.killpg(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Send SIGTERM to the group, then SIGKILL; wait half a second for the end after each.

        Used when we are exiting: once the job is released, nothing of this attempt may run.
        """
        self.kill_requested = True
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.signal_group(number)
            give_up_at_s = time.monotonic() + _KILL_GRACE_S
            while time.monotonic() < give_up_at_s and not self._is_reaped and self._group_runs():
                time.sleep(_CHECK_EVERY_S)

    def reap(self) -> int:
        """Kill the rest of the group, reap the program, return its code (negative: a signal)."""
        code = self._reap()
        os.close(self.pidfd)
        return code

    def _reap(self) -> int:
        self.signal_group(signal.SIGKILL)
        with self._reap_lock:
            self._is_reaped = True
            _, status, usage = os.wait4(self._process.pid, 0)
            code = self._process.returncode = os.waitstatus_to_exitcode(status)
        self.peak_kib = usage.ru_maxrss
        self.stdout.close()
        self.stderr.close()
        return code

    def _group_runs(self) -> bool:
        """Return whether a process of the group runs; a zombie does not."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, _, group = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
                if int(group) == self._process.pid and state not in "ZX":
                    return True
        return False


class Output:
    """Reads a program's output and calls `keep(level, line)` for each line as it comes.

    `follow` returns early when `wake_fd` becomes readable.
    """

    def __init__(
        self, program: CommandProcess, wake_fd: int, keep: Callable[[str, str], None]
    ) -> None:
        self._program = program
        self._wake_fd = wake_fd
        self._keep = keep
        self._levels = {program.stdout.fileno(): "info", program.stderr.fileno(): "warning"}
        self._partial = dict.fromkeys(self._levels, b"")
        self._poll = select.poll()
        for fd in self._levels:
            self._poll.register(fd, select.POLLIN)

    def follow(self, until_s: float) -> None:
        """Read until the program exits, `wake_fd` is readable, or `until_s` (monotonic)."""
        for fd in (self._program.pidfd, self._wake_fd):
            self._poll.register(fd, select.POLLIN)
        while (left_s := until_s - time.monotonic()) > 0:
            ready = self._read(left_s)
            if self._wake_fd in ready:
                os.eventfd_read(self._wake_fd)
            if not ready.isdisjoint((self._program.pidfd, self._wake_fd)):
                break
        for fd in (self._program.pidfd, self._wake_fd):
            self._poll.unregister(fd)

    def drain(self, within_s: float) -> None:
        """Read what is in the pipes until they end, or for `within_s`."""
        deadline_s = time.monotonic() + within_s
        while self._partial and (left_s := deadline_s - time.monotonic()) > 0:
            self._read(left_s)

    def wait_for_group(self, until_s: float) -> None:
        """Read until every process of the group has exited, or until `until_s` (monotonic)."""
        while (left_s := until_s - time.monotonic()) > 0 and not self._program.is_gone():
            self._read(min(_CHECK_EVERY_S, left_s))

    def finish(self) -> None:
        """Keep the last line of each stream, if it has no newline."""
        for fd, rest in self._partial.items():
            if rest:
                self._keep_line(fd, rest)
        self._partial.clear()

    def _read(self, within_s: float) -> set[int]:
        ready = {fd for fd, _ in self._poll.poll(min(within_s, _MAX_POLL_S) * 1000 + 1)}
        for fd in ready & self._partial.keys():
            data = os.read(fd, _READ_BYTES)
            *lines, rest = (self._partial[fd] + data).split(b"\n")
            for line in lines:
                self._keep_line(fd, line)
            if len(rest) > _MAX_LINE_BYTES or (rest and not data):
                self._keep_line(fd, rest)
                rest = b""
            self._partial[fd] = rest
            if not data:
                self._poll.unregister(fd)
                del self._partial[fd]
        return ready

    def _keep_line(self, fd: int, line: bytes) -> None:
        self._keep(self._levels[fd], line.rstrip(b"\r").decode(errors="backslashreplace"))
