"""`[[commands]]`: one attempt of a job that is a program.

The main thread follows the program and takes care of its timeout itself, so no alarm has to strike
and the worker goes on afterwards. Told to stop, the whole process group gets SIGTERM, and SIGKILL
after the grace. When the program has ended, the attempt has: what it left running in its group is
killed, so that a retry never meets what is left of the attempt before.
"""

import errno
import json
import os
import signal
import time
from collections import deque
from collections.abc import Mapping

from orpheus.shared.domain.commands import CommandSettings, arguments, fields_of
from orpheus.shared.job_types.registry import JobTimeout, PermanentError
from orpheus.worker.attempt.context import Running, check_cancelled
from orpheus.worker.attempt.program import Output, Program

_DRAIN_S = 0.5
"""What the program wrote before it ended is in the pipes by then; others may hold them open."""
_MARGIN_S = 5.0
_FOREVER_S = 3_600.0
_TAIL_LINES = 10
_TAIL_LINE_CHARS = 500
_HOPELESS = frozenset(
    {
        errno.E2BIG,
        errno.EACCES,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOEXEC,
        errno.ENOTDIR,
        errno.EPERM,
    }
)
"""Trying again would not help; a machine out of memory or processes may recover."""


class CommandFailed(Exception):
    """The program ended with a code that is none of success, or by a signal."""


class CommandType:
    """A command as a job type."""

    def __init__(self, command: CommandSettings, cancel_grace_s: float) -> None:
        self._command = command
        self._cancel_grace_s = cancel_grace_s
        self._fields = frozenset(fields_of(command.argv))

    def run(self, running: Running) -> dict[str, int]:
        """Run the program to its end; the result.

        Raises CommandFailed, PermanentError if it cannot be started, JobTimeout, JobCancelled.
        """
        program = self._start(running)
        wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        running.allowance_s = self._cancel_grace_s + _MARGIN_S
        running.kill = program.kill
        running.on_stop = lambda: os.eventfd_write(wake_fd, 1)
        tail: deque[str] = deque(maxlen=_TAIL_LINES)

        def keep(level: str, line: str) -> None:
            running.job_log().add(level, line, {})
            tail.append(line[:_TAIL_LINE_CHARS])

        try:
            self._follow(program, Output(program, wake_fd, keep), running)
        finally:
            running.on_stop = None
            code = program.reap()
            running.kill = None
            os.close(wake_fd)
            if program.is_given_up:
                time.sleep(_FOREVER_S)  # how it ended now is our doing: nothing to report
        return self._judge(code, tail)

    def _start(self, running: Running) -> Program:
        command, lease = self._command, running.lease
        argv = arguments(command.argv, self._bind(lease.payload))
        job = {"JOB_ID": str(lease.job_id), "JOB_ATTEMPT": str(lease.attempt)}
        check_cancelled(running)
        try:
            return Program(argv, command.cwd, {**os.environ, **command.env, **job})
        except OSError as error:
            if error.errno not in _HOPELESS:
                raise
            what = f"the program {argv[0]!r} cannot be started"
            if command.cwd and error.filename == command.cwd:
                what = f"its cwd {command.cwd!r} cannot be entered"
            raise PermanentError(f"{what}: {error.strerror}") from None

    def _bind(self, payload: str) -> Mapping[str, str | float]:
        """The payload, which may be older than the command's arguments."""
        values = json.loads(payload)
        problems = [f"/{name}: is missing" for name in sorted(self._fields - values.keys())]
        for name, value in values.items():
            if name not in self._fields:
                problems.append(f"/{name}: is not a field of this job type")
            elif not isinstance(value, (str, int, float)):
                problems.append(f"/{name}: must be a string, a number, true or false")
        if problems:
            raise PermanentError(
                f"the payload does not fit {self._command.name}: {'; '.join(problems)}"
            )
        fitting: Mapping[str, str | float] = values
        return fitting

    def _follow(self, program: Program, output: Output, running: Running) -> None:
        """Until the program has ended, by itself or because it must."""
        deadline_s = running.entered_at_s + running.lease.timeout_s
        while not program.has_exited() and time.monotonic() < deadline_s:
            if running.stop_asked_at_s is not None:
                break
            output.follow(deadline_s)
        ended_by_itself = program.has_exited()
        if not ended_by_itself:
            program.signal_group(signal.SIGTERM)
            output.wait_for_group(time.monotonic() + self._cancel_grace_s)
            program.signal_group(signal.SIGKILL)
        output.drain(_DRAIN_S)
        output.finish()
        if not ended_by_itself:
            check_cancelled(running)
            raise JobTimeout

    def _judge(self, code: int, tail: deque[str]) -> dict[str, int]:
        if code in self._command.success_codes:
            return {"exit_code": code}
        how = f"exit code {code}" if code >= 0 else f"killed by {_signal_name(-code)}"
        last = "".join(f"\n{line}" for line in tail)
        raise CommandFailed(f"{how}; its last lines:{last}" if last else how)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
