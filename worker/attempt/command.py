"""`[[commands]]`: one attempt of a job that runs a program.

The main thread follows the program and watches its timeout itself, so no alarm is raised and the
worker can go on afterwards. To stop a program, the whole process group gets SIGTERM, and SIGKILL
after the grace period. When the program exits, the attempt ends: whatever the program left running
in its process group is killed, so that a retry never runs beside processes of an earlier attempt.
"""

import errno
import json
import os
import signal
import time
from collections import deque
from collections.abc import Mapping

from orpheus.shared.domain.commands import CommandSettings, arguments, fields_of
from orpheus.shared.domain.processes import signal_name
from orpheus.shared.job_types.context import JobTimeout, PermanentError
from orpheus.worker.attempt.command_process import CommandProcess, Output
from orpheus.worker.attempt.context import CannotFollow, LacksFiles, RunningAttempt, check_cancelled

_DRAIN_S = 0.5
"""How long to read output after the exit: all that the program wrote is in the pipes by then, but
processes that it left running may hold them open.
"""
_EXTRA_TIME_S = 5.0
_FOREVER_S = 3_600.0
_TAIL_LINES = 10
_TAIL_LINE_CHARS = 500
_TRANSIENT_ERRNOS = (errno.EAGAIN, errno.ENFILE, errno.ENOMEM)
"""A start that fails with one of these may succeed later; any other failure is permanent."""


class CommandFailed(Exception):
    """The command exited with a code not listed in success_codes, or was killed by a signal."""


class CommandType:
    """A command as a job type."""

    def __init__(self, command: CommandSettings, cancel_grace_s: float) -> None:
        self._command = command
        self._cancel_grace_s = cancel_grace_s
        self._fields = frozenset(fields_of(command.argv))

    def run(self, attempt: RunningAttempt) -> dict[str, int]:
        """Run the program until it exits and return the job's result.

        Raises CommandFailed, PermanentError if it cannot be started, LacksFiles, CannotFollow,
        JobTimeout, JobCancelled.
        """
        program, wake_fd = self._start(attempt)
        attempt.extra_time_s = self._cancel_grace_s + _EXTRA_TIME_S
        attempt.kill_program = program.kill
        attempt.on_stop = lambda: os.eventfd_write(wake_fd, 1)
        tail: deque[str] = deque(maxlen=_TAIL_LINES)

        def keep_line(level: str, line: str) -> None:
            attempt.job_log().add(level, line, {})
            tail.append(line[:_TAIL_LINE_CHARS])

        try:
            self._follow(program, Output(program, wake_fd, keep_line), attempt)
        finally:
            attempt.on_stop = None
            code = program.reap()
            attempt.kill_program = None
            attempt.program_peak_kib = program.peak_kib
            os.close(wake_fd)
            if program.kill_requested:
                time.sleep(_FOREVER_S)  # this process is exiting; the exit code means nothing
        return self._result(code, tail)

    def _start(self, attempt: RunningAttempt) -> tuple[CommandProcess, int]:
        """Return the program, and the descriptor that wakes the thread that follows it."""
        command, lease = self._command, attempt.lease
        argv = arguments(command.argv, self._field_values(lease.payload))
        job = {"JOB_ID": str(lease.job_id), "JOB_ATTEMPT": str(lease.attempt)}
        check_cancelled(attempt)
        env = {**os.environ, **command.env, **job}
        try:
            wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            try:
                return CommandProcess(argv, command.cwd, env), wake_fd
            except BaseException:
                os.close(wake_fd)
                raise
        except CannotFollow:
            raise
        except OSError as error:
            if error.errno == errno.EMFILE:
                raise LacksFiles from None
            if error.errno in _TRANSIENT_ERRNOS:
                raise
            what = f"the program {argv[0]!r} cannot be started"
            if command.cwd and error.filename == command.cwd:
                what = f"its cwd {command.cwd!r} cannot be entered"
            raise PermanentError(f"{what}: {error.strerror}") from None

    def _field_values(self, payload: str) -> Mapping[str, str | float]:
        """Return the payload, checked again: it may be older than the command's arguments."""
        values: dict[str, str | float] = json.loads(payload)
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
        return values

    def _follow(self, program: CommandProcess, output: Output, attempt: RunningAttempt) -> None:
        """Read output until the program exits; stop it at its timeout or when asked to."""
        deadline_s = attempt.started_at_s + attempt.lease.timeout_s
        while not program.has_exited() and time.monotonic() < deadline_s:
            if attempt.stop_requested_at_s is not None:
                break
            output.follow(deadline_s)
        exited_by_itself = program.has_exited()
        if not exited_by_itself:
            program.signal_group(signal.SIGTERM)
            output.wait_for_group(time.monotonic() + self._cancel_grace_s)
            program.signal_group(signal.SIGKILL)
        output.drain(_DRAIN_S)
        output.finish()
        if not exited_by_itself:
            check_cancelled(attempt)
            raise JobTimeout

    def _result(self, code: int, tail: deque[str]) -> dict[str, int]:
        if code in self._command.success_codes:
            return {"exit_code": code}
        how = f"exit code {code}" if code >= 0 else f"killed by {signal_name(-code)}"
        last = "".join(f"\n{line}" for line in tail)
        raise CommandFailed(f"{how}; its last lines:{last}" if last else how)
