"""A program that a job runs: a session of its own, its output as lines, its whole group ended.

An exit is seen by pidfd, never by the end of a pipe: whatever the program leaves running may hold
the pipe open for hours. It is first peeked at: while the zombie leader is not reaped, the id of
its process group cannot be another's, so that is when the rest of the group is killed.
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

_READ_BYTES = 65_536
_LONGEST_LINE_BYTES = 16_384
_HASTY_S = 0.5
_LOOK_S = 0.05
_LONGEST_POLL_S = 3_600.0


class Program:
    """A running program. `kill` is safe from any thread, the rest is for the one that started it.

    Raises OSError if it cannot be started.
    """

    def __init__(self, argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            argv,
            cwd=cwd or None,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.stdout, self.stderr = self._process.stdout, self._process.stderr
        self.pidfd = os.pidfd_open(self._process.pid)
        self.is_given_up = False
        """This process is about to end, and kills the program before it does."""
        self._reaping = threading.Lock()
        self._is_reaped = False

    def has_exited(self) -> bool:
        """Whether the program itself has ended; it stays a zombie until `reap`."""
        ended = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PIDFD, self.pidfd, ended) is not None

    def is_gone(self) -> bool:
        """Whether nothing of its process group runs any more."""
        return self.has_exited() and not _runs(self._process.pid)

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to all of its process group; one that is stopped goes on to take it."""
        with self._reaping, contextlib.suppress(ProcessLookupError, PermissionError):
            if not self._is_reaped:
                os.killpg(self._process.pid, number)
                os.killpg(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGTERM to the group, and SIGKILL half a second later: this process is about to end."""
        self.is_given_up = True
        self.signal_group(signal.SIGTERM)
        give_up_at_s = time.monotonic() + _HASTY_S
        while not self._is_reaped and _runs(self._process.pid):
            if time.monotonic() >= give_up_at_s:
                break
            time.sleep(_LOOK_S)
        self.signal_group(signal.SIGKILL)

    def reap(self) -> int:
        """Kill what is left of the group, and let it go; its exit code, negative for a signal."""
        self.signal_group(signal.SIGKILL)
        with self._reaping:
            self._is_reaped = True
            code = self._process.wait()
        os.close(self.pidfd)
        self.stdout.close()
        self.stderr.close()
        return code


class Output:
    """Reads what a program writes, line by line: `keep(level, line)`, as it comes.

    `wake_fd`: readable when somebody wants `follow` to return.
    """

    def __init__(self, program: Program, wake_fd: int, keep: Callable[[str, str], None]) -> None:
        self._program = program
        self._wake_fd = wake_fd
        self._keep = keep
        self._levels = {program.stdout.fileno(): "info", program.stderr.fileno(): "warning"}
        self._partial = dict.fromkeys(self._levels, b"")
        self._poll = select.poll()
        for fd in self._levels:
            self._poll.register(fd, select.POLLIN)

    def follow(self, until_s: float) -> None:
        """Keep lines until the program exits, somebody wakes us, or that moment (monotonic)."""
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
        """Keep what is in the pipes, until they end or for so long."""
        give_up_at_s = time.monotonic() + within_s
        while self._partial and (left_s := give_up_at_s - time.monotonic()) > 0:
            self._read(left_s)

    def wait_for_group(self, until_s: float) -> None:
        """Keep lines until nothing of the program's group runs, or that moment (monotonic)."""
        while (left_s := until_s - time.monotonic()) > 0 and not self._program.is_gone():
            self._read(min(_LOOK_S, left_s))

    def finish(self) -> None:
        """What was written without a newline is a line too."""
        for fd, rest in self._partial.items():
            if rest:
                self._keep_line(fd, rest)
        self._partial.clear()

    def _read(self, within_s: float) -> set[int]:
        ready = {fd for fd, _ in self._poll.poll(min(within_s, _LONGEST_POLL_S) * 1000 + 1)}
        for fd in ready & self._partial.keys():
            data = os.read(fd, _READ_BYTES)
            *lines, rest = (self._partial[fd] + data).split(b"\n")
            for line in lines:
                self._keep_line(fd, line)
            if len(rest) > _LONGEST_LINE_BYTES or (rest and not data):
                self._keep_line(fd, rest)
                rest = b""
            self._partial[fd] = rest
            if not data:
                self._poll.unregister(fd)
                del self._partial[fd]
        return ready

    def _keep_line(self, fd: int, line: bytes) -> None:
        self._keep(self._levels[fd], line.rstrip(b"\r").decode(errors="backslashreplace"))


def _runs(group: int) -> bool:
    """Whether a process of that group runs; zombies do not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                return True
    return False
