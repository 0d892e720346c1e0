"""A child process as its parent sees it: pidfd, control channel, crash file."""

import contextlib
import math
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from orpheus.shared.domain.processes import Role
from orpheus.shared.domain.stacks import job_first
from orpheus.shared.process.channel import EVIDENCE_LENGTH, Channel
from orpheus.shared.process.child_start import INCARNATION_VARIABLE
from orpheus.shared.process.crash_cell import CellState, read_cell
from orpheus.shared.process.last_lines import read_last_lines
from orpheus.shared.process.state_files import StateFiles
from orpheus.supervisor.linux.process_handle import ProcessHandle, open_pidfd
from orpheus.supervisor.plan.plan import ProcessSpec
from orpheus.supervisor.policy.slot import Exit, ProcessCommand

_MOST_LAST_LINES = 20
_LONGEST_LAST_LINE = 200
_MOST_STACK_BYTES = 1_048_576
_SILENT_FOR_S = 2.05
"""More than the usual `heartbeats.interval`, and less than the time after which
shared/operations/supervisor_requests.py asks again."""
_SIGNALS = {
    ProcessCommand.TERMINATE: (signal.SIGTERM,),
    # A process that is stopped acts on it only when it is continued.
    ProcessCommand.ABORT: (signal.SIGABRT, signal.SIGCONT),
    ProcessCommand.CONTINUE: (signal.SIGCONT,),
    ProcessCommand.DUMP: (signal.SIGUSR1,),
}


class ChildHandle(ProcessHandle):
    """The process of a worker or of the API."""

    def __init__(
        self,
        incarnation: str,
        process: subprocess.Popen[bytes],
        pidfd: int,
        channel: Channel,
        state: StateFiles,
        *,
        tells_stacks: bool,
    ) -> None:
        super().__init__(incarnation, process, pidfd)
        self.channel = channel
        self._cell_file = state.cell(incarnation)
        self._crash_file = state.crash(incarnation)
        self._stack_file = state.stack(incarnation)
        self._tells_stacks = tells_stacks
        """It is a worker, so its Python code answers with its stacks."""
        self._asked_at_s = math.inf
        """When it was first asked for its stacks since it last wrote some; infinite: never."""
        self._stack_bytes = 0
        """How large the file of its stacks was then."""

    @classmethod
    def spawn(cls, spec: ProcessSpec, incarnation: str, state: StateFiles) -> "ChildHandle":
        """Start a process by exec, in its own session, and send it its handover.

        Raises OSError if it cannot be started.
        """
        handover = {
            **spec.handover,
            "incarnation": incarnation,
            "supervisor_pid": os.getpid(),
            "crash_file": str(state.crash(incarnation)),
            "stack_file": str(state.stack(incarnation)),
        }
        with contextlib.ExitStack() as undo:
            ours, theirs = Channel.pair()
            undo.callback(ours.close)
            with theirs:
                process = subprocess.Popen(
                    [*spec.argv, "--control-fd", str(theirs.fileno())],
                    stdin=None if spec.has_terminal else subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(), *spec.pass_fds),
                    start_new_session=True,
                    env={**os.environ, INCARNATION_VARIABLE: incarnation},
                )
            pidfd = open_pidfd(process, undo)
            ours.send({"handover": handover})
            undo.pop_all()
        tells_stacks = spec.role is Role.WORKER
        return cls(incarnation, process, pidfd, ours, state, tells_stacks=tells_stacks)

    def send(self, command: ProcessCommand, within_s: float | None = None) -> None:
        """Send the signal or the message of a command; ignored if the process has just ended."""
        if command is ProcessCommand.DRAIN:
            self.channel.send({"do": "drain"})
        elif command is ProcessCommand.KILL:
            self.kill_group()
        else:
            if command is ProcessCommand.DUMP:
                self._bound_stack_file()
                if self._tells_stacks and self._may_answer():
                    return
            if command is ProcessCommand.TERMINATE and within_s is not None:
                self.channel.send({"do": "stop", "within_s": round(within_s, 3)})
            with contextlib.suppress(ProcessLookupError):
                for number in _SIGNALS[command]:
                    signal.pidfd_send_signal(self.pidfd, number)

    def messages(self, *, has_exited: bool, serves: bool) -> list[dict[str, Any]]:  # noqa: ARG002
        """Return what it has said since the last call; all that is left if it `has_exited`."""
        self.channel.flush()
        return self.channel.receive_last() if has_exited else self.channel.receive()

    def _may_answer(self) -> bool:
        """Ask a worker for its stacks; return whether its Python code may still answer.

        If it has written nothing for 2 s since it was asked, only the handler of a signal can.
        """
        now_s, size_bytes = time.monotonic(), _size_of(self._stack_file)
        if math.isinf(self._asked_at_s) or size_bytes != self._stack_bytes:
            self._asked_at_s, self._stack_bytes = now_s, size_bytes
        self.channel.send({"do": "stack"})
        return now_s - self._asked_at_s < _SILENT_FOR_S

    def register(self, poll: select.poll, *, reads: bool) -> None:
        """Wake `poll` when the process ends, and for messages if it `reads`."""
        poll.register(self.pidfd, select.POLLIN)
        events = self.channel.poll_events(reads=reads)
        if events and not self.channel.closed:  # a closed one is always readable
            poll.register(self.channel.fileno(), events)

    def peek_exit(self) -> Exit | None:
        """Return how the process ended; None while it runs. It stays a zombie until `reap`."""
        status = self.exit_status()
        if status is None:
            return None
        cell = read_cell(self._cell_file) or CellState(0, running=False)
        ended_itself = status.code == 0 and not cell.running  # its result was refused
        return Exit(
            code=status.code,
            signal=status.signal,
            evidence=self._evidence(),
            output=self._last_output(cell.running_token),
            in_job=cell.token > 0 and not ended_itself,
            jobs=cell.jobs,
            job_ended=cell.has_ended,
        )

    def _close(self) -> None:
        self.channel.close()
        for file in (self._crash_file, self._stack_file):
            with contextlib.suppress(OSError):  # a read-only folder: the next start deletes them
                file.unlink()

    def _bound_stack_file(self) -> None:
        """Empty the stack file if it has become large: the child only ever appends to it."""
        with contextlib.suppress(OSError):
            if self._stack_file.stat().st_size > _MOST_STACK_BYTES:
                os.truncate(self._stack_file, 0)

    def _last_output(self, running_token: int) -> str | None:
        newest = read_last_lines(self._cell_file, running_token)[-_MOST_LAST_LINES:]
        longest = _LONGEST_LAST_LINE
        # Without their fields, which may be hidden: they are in the log of the job.
        return "\n".join(line.line[:longest] for line in newest) or None

    def _evidence(self) -> str | None:
        text = _text_of(self._crash_file, _MOST_STACK_BYTES)
        return job_first(text.partition("\nExtension modules:")[0])[:EVIDENCE_LENGTH] or None


def _text_of(file: Path, most_bytes: int) -> str:
    """Return the beginning of a file; empty if there is none."""
    try:
        with file.open("rb") as opened:
            return opened.read(most_bytes).decode(errors="replace")
    except OSError:
        return ""


def _size_of(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
