"""The process of a program as its parent sees it: pidfd, pipes, checks.

Its exit is reported a moment after it is seen, when its last lines are known: they are the
evidence.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orpheus.shared.domain.processes import signal_name
from orpheus.shared.domain.programs import ProgramSettings, filled_in, instance_of
from orpheus.shared.logs import get_logger
from orpheus.shared.process import program_start
from orpheus.shared.process.child_start import INCARNATION_VARIABLE
from orpheus.supervisor.linux.process_handle import ProcessHandle, open_pidfd
from orpheus.supervisor.policy.slot import Exit, ProcessCommand
from orpheus.supervisor.programs.checks import HttpChecks, shown
from orpheus.supervisor.programs.message import close_all
from orpheus.supervisor.programs.output import ProgramOutput

log = get_logger()

_START_ARGV = (sys.executable, "-I", "-S", str(Path(program_start.__file__)))
_LAST_LINES_S = 0.5
"""How long to wait for the last lines of a process that has ended."""


class ProgramHandle(ProcessHandle):
    """The process of a program."""

    def __init__(
        self,
        incarnation: str,
        process: subprocess.Popen[bytes],
        pidfd: int,
        slot: str,
        program: ProgramSettings,
        output: ProgramOutput,
        checks: HttpChecks | None,
        wake: Callable[[], object],
    ) -> None:
        super().__init__(incarnation, process, pidfd)
        self.slot = slot
        self._program = program
        self._output = output
        self._checks = checks
        self._wake = wake
        self._exit_seen_s: float | None = None

    @classmethod
    def spawn(
        cls,
        slot: str,
        program: ProgramSettings,
        incarnation: str,
        output: ProgramOutput,
        wake: Callable[[], object],
    ) -> "ProgramHandle":
        """Start a process by exec, in its own session.

        Raises OSError, or RuntimeError for want of a thread, if it cannot be started.
        """
        with contextlib.ExitStack() as undo:
            ends = output.make_pipes(incarnation)
            undo.callback(output.end, incarnation)
            try:
                process = _start(slot, program, incarnation, ends)
            finally:
                close_all(ends)
            pidfd = open_pidfd(process, undo)
            output.begin(incarnation, slot, program, process.pid)
            checks = HttpChecks.start(program, instance_of(slot), wake)
            undo.pop_all()
        return cls(incarnation, process, pidfd, slot, program, output, checks, wake)

    def adopt(self, program: ProgramSettings) -> None:
        """Use changed settings, as far as they need no new process."""
        if program != self._program:
            self._program = program
            self._output.set_limits(self.slot, program)
            if self._checks is not None:
                self._checks.program = program
            else:
                try:
                    self._checks = HttpChecks.start(program, instance_of(self.slot), self._wake)
                except RuntimeError as error:  # no thread is left
                    log.warning("no_checks", slot=self.slot, reason=str(error))

    def send(self, command: ProcessCommand, within_s: float | None = None) -> None:  # noqa: ARG002
        """Send the signal of a command; ignored if programs do not know the command."""
        if command is ProcessCommand.KILL:
            self.kill_group()
        elif command is ProcessCommand.TERMINATE:
            stop = signal.Signals[f"SIG{self._program.stop_signal}"]
            try:
                for number in (stop, signal.SIGCONT):  # a stopped one acts on it when continued
                    signal.pidfd_send_signal(self.pidfd, number)
            except ProcessLookupError:
                pass
            except PermissionError:  # it will be found to survive SIGKILL, too
                log.warning("cannot_stop", slot=self.slot, reason="it runs as another user")

    def messages(self, *, has_exited: bool, serves: bool) -> list[Mapping[str, Any]]:
        """Return what its output and its checks say, as a worker would say it."""
        said: list[Mapping[str, Any]] = []
        if self._output.is_ready(self.incarnation):
            said.append({"say": "ready"})
        if not has_exited and not serves:
            said.append({"say": "unready", "reason": self._unready()})
        checks = self._checks
        if checks is not None and not has_exited:
            checks.serves = serves
            if checks.is_ready:
                said.append({"say": "ready"})
            if checks.unhealthy:
                said.append({"say": "unhealthy", "reason": checks.unhealthy})
        return said

    def _unready(self) -> str:
        """Return what its `ready` asks for, and what was found last."""
        program = self._program
        if program.ready_http is not None:
            answer = "" if self._checks is None else self._checks.unready
            url = shown(filled_in(program.ready_http, instance_of(self.slot)))
            return answer or f"{url}: no answer so far"
        if program.ready_line is not None:
            return f"no line of its output has matched {program.ready_line!r}"
        return f"it is ready once it has run for {program.ready_after_s:g} s"

    def peek_exit(self) -> Exit | None:
        """Return how the process ended, once its last lines are known; None until then."""
        status = self.exit_status()
        if status is None:
            return None
        code, number = status
        if self._exit_seen_s is None:
            self._exit_seen_s = time.monotonic()
            how = f"exit code {code}" if number is None else f"killed by {signal_name(number)}"
            self._output.drain(self.incarnation, f"process {self.pid} ended: {how}")
        last_lines = self._output.last_lines(self.incarnation)
        if last_lines is None and time.monotonic() - self._exit_seen_s < _LAST_LINES_S:
            return None
        return Exit(code=code, signal=number, evidence=last_lines or None)

    def wakes_s(self) -> float | None:
        """Return when its exit is to be reported at the latest; None: it has not ended."""
        return None if self._exit_seen_s is None else self._exit_seen_s + _LAST_LINES_S

    def register(self, poll: select.poll, *, reads: bool) -> None:  # noqa: ARG002
        """Wake `poll` when the process ends, unless that was seen: the pidfd stays readable."""
        if self._exit_seen_s is None:
            poll.register(self.pidfd, select.POLLIN)

    def _close(self) -> None:
        self._output.end(self.incarnation)
        if self._checks is not None:
            self._checks.stop()


def _start(
    slot: str, program: ProgramSettings, incarnation: str, ends: tuple[int, int]
) -> subprocess.Popen[bytes]:
    """Start the process that becomes the program, and writes to these ends. Raises OSError."""
    instance = instance_of(slot)
    stop_signal = signal.Signals[f"SIG{program.stop_signal}"]
    env_file = str(Path(program.env_file).absolute()) if program.env_file else ""
    variables = {name: filled_in(value, instance) for name, value in program.env.items()}
    own = "=".join([*variables, "PROGRAM_SLOT", "PROGRAM_INSTANCE"])
    before_exec = (str(os.getpid()), str(int(stop_signal)), program.cwd, env_file, own)
    return subprocess.Popen(
        [*_START_ARGV, *before_exec, *(filled_in(argument, instance) for argument in program.argv)],
        stdin=subprocess.DEVNULL,
        stdout=ends[0],
        stderr=ends[1],
        start_new_session=True,
        env={
            **os.environ,
            "PROGRAM_SLOT": slot,
            "PROGRAM_INSTANCE": str(instance),
            **variables,
            INCARNATION_VARIABLE: incarnation,
        },
    )
