"""The supervisor's side of the output process: starts it, gives it pipes, starts it again.

The supervisor keeps the read end of every pipe open, and never reads it. So a program that writes
while there is no output process finds no broken pipe; what it writes waits for the next one.
"""

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from typing import Any

import msgspec

from orpheus.shared.domain.programs import ProgramSettings
from orpheus.shared.logs import get_logger
from orpheus.shared.process.child_start import INCARNATION_VARIABLE
from orpheus.shared.process.state_files import StateFiles
from orpheus.supervisor.linux.process_stat import process_stat
from orpheus.supervisor.policy.slot import OsStatus, Rules
from orpheus.supervisor.programs.message import Packets, close_all

log = get_logger()

_ARGV = (sys.executable, "-m", "orpheus.supervisor.programs.output_process")
_START_AGAIN_S = 1.0
_LINES_MAY_BE_MISSING = "the output process had ended: lines may be missing here"
_END_S = 0.5
"""How long to wait for the end of a process that was killed."""


class _Pipes(msgspec.Struct):
    """The pipes of one process, and the state of its output."""

    message: dict[str, Any]
    fds: tuple[int, int]
    is_ready: bool = False
    note: str | None = None
    """How the process ended; None: it runs."""
    last_lines: str | None = None
    """None: not known yet."""


class ProgramOutput:
    """The output of all programs. Main thread only; nothing blocks. Starts with the first program.

    `incarnation` marks the process, so that a later supervisor finds it if this one dies.
    """

    def __init__(self, state: StateFiles, incarnation: str) -> None:
        self._state = state
        self._incarnation = incarnation
        self._process: subprocess.Popen[bytes] | None = None
        self._packets: Packets | None = None
        self._started_s = float("-inf")
        self._asked_s: float | None = None
        """When the process was asked for a beat that has not come; None: it owes none."""
        self._beat_s: float | None = None
        """When its last beat came; None: it has sent none yet."""
        self.trouble = ""
        """What keeps output from being read, so that programs wait in their writes; empty:
        nothing."""
        self._pipes: dict[str, _Pipes] = {}

    @property
    def pid(self) -> int | None:
        """The pid of the output process; None if there is none."""
        return None if self._process is None else self._process.pid

    def make_pipes(self, incarnation: str) -> tuple[int, int]:
        """Make the pipes of a process; return the ends that it writes to. Raises OSError."""
        out, out_end = os.pipe()
        try:
            err, err_end = os.pipe()
        except OSError:
            close_all((out, out_end))
            raise
        for fd in (out, err):
            os.set_blocking(fd, False)
        self._pipes[incarnation] = _Pipes({}, (out, err))
        return out_end, err_end

    def begin(self, incarnation: str, slot: str, program: ProgramSettings, pid: int) -> None:
        """Keep what comes through the pipes of a process."""
        pipes = self._pipes[incarnation]
        pipes.message = {
            **self._limits(slot, program),
            "do": "open",
            "incarnation": incarnation,
            "note": f"process {pid} started",
        }
        if self._packets is None:
            self._start()
        else:
            self._send(pipes)

    def set_limits(self, slot: str, program: ProgramSettings) -> None:
        """Change how much the files of a slot may take up, and the line that shows it is ready."""
        limits = self._limits(slot, program)
        for pipes in self._pipes.values():
            if pipes.message.get("slot") == slot:
                pipes.message |= limits  # for the next output process
        if self._packets is not None:
            self._packets.send({**limits, "do": "limits"})

    def _limits(self, slot: str, program: ProgramSettings) -> dict[str, Any]:
        return {
            "slot": slot,
            "folder": str(self._state.program_log(slot).absolute()),
            "size_bytes": program.log_size_bytes,
            "files": program.log_files,
            "ready_line": program.ready_line,
        }

    def drain(self, incarnation: str, note: str) -> None:
        """Ask for the last lines of a process that has ended; `note` says how it ended."""
        pipes = self._pipes[incarnation]
        pipes.note = note
        if self._packets is not None:
            self._packets.send({"do": "drain", "incarnation": incarnation, "note": note})

    def is_ready(self, incarnation: str) -> bool:
        """Return whether the line that the program's `ready` waits for was seen."""
        return self._pipes[incarnation].is_ready

    def last_lines(self, incarnation: str) -> str | None:
        """Return what a process wrote last, once all of it is kept; None: not yet."""
        return self._pipes[incarnation].last_lines

    def end(self, incarnation: str) -> None:
        """Close our ends of the pipes of a process."""
        pipes = self._pipes.pop(incarnation, None)
        if pipes is not None:
            if self._packets is not None:
                self._packets.withdraw(pipes.fds)
            close_all(pipes.fds)

    def register(self, poll: select.poll) -> None:
        """Wake `poll` when there is something to do for `turn`."""
        if self._packets is not None:
            poll.register(self._packets, self._packets.poll_events())

    def turn(self) -> None:
        """Take what has arrived; start the process again if it has ended."""
        if self._packets is not None:
            self._packets.flush()
            for message, _ in self._packets.receive():
                self._take(message)
            if not self._packets.closed:
                return
            log.warning("output_process_ended", pid=self.pid)
            self._reap()
        if not self._pipes:
            self.trouble = ""
        elif time.monotonic() - self._started_s > _START_AGAIN_S:
            self._start()

    def _take(self, message: dict[str, Any]) -> None:
        pipes = self._pipes.get(message.get("incarnation", ""))
        match message["say"]:
            case "beat":
                self._asked_s, self._beat_s, self.trouble = None, time.monotonic(), ""
            case "ready" if pipes is not None:
                pipes.is_ready = True
            case "drained" if pipes is not None:
                pipes.last_lines = message["tail"]

    def judge(self, rules: Rules, now_s: float) -> None:
        """Ask the process for a beat; kill it if it owes one for too long.

        The next turn starts another process in the place of a killed one.
        """
        if self._process is None or self._packets is None or self._packets.closed:
            return
        if self._asked_s is None:
            if self._beat_s is None or now_s - self._beat_s >= rules.beat_interval_s:
                self._packets.send({"do": "beat"})
                self._asked_s = now_s
            return
        silent_s = now_s - self._asked_s
        limit_s = rules.beat_timeout_s if self._beat_s is not None else rules.start_timeout_s
        if silent_s < limit_s:
            return
        self.trouble = "the process that keeps the output of programs does not answer"
        status = process_stat(self._process.pid).os_status
        if status is OsStatus.UNINTERRUPTIBLE:
            return  # no signal helps
        log.warning("output_process_hung", pid=self.pid, silent_s=round(silent_s))
        self._reap()

    def rebase(self, gap_s: float) -> None:
        """Forgive a silence while the supervisor itself did not run."""
        if self._asked_s is not None:
            self._asked_s += gap_s

    def stop(self, timeout_s: float) -> None:
        """Let the process write what it has, and end it. Blocks for `timeout_s` at most."""
        for incarnation in list(self._pipes):
            self.end(incarnation)
        if self._process is not None and self._packets is not None:
            self._packets.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
            self._reap()

    def _start(self) -> None:
        self._started_s = time.monotonic()
        self._asked_s, self._beat_s = None, None
        try:
            self._process, ours = self._spawn()
        except OSError as error:  # no memory or descriptor is left: again in a moment
            log.warning("no_output_process", reason=str(error))
            self.trouble = f"no process keeps the output of programs: {error}"
            return
        self._packets = Packets(ours)
        for incarnation, pipes in self._pipes.items():
            self._send(pipes)
            if pipes.note is not None:
                message = {"do": "drain", "incarnation": incarnation, "note": pipes.note}
                self._packets.send(message)

    def _send(self, pipes: _Pipes) -> None:
        """Hand a process' pipes over. The next output process says that this one has ended."""
        if self._packets is not None:
            message = dict(pipes.message)
            if pipes.is_ready:
                message["ready_line"] = None  # nothing is looked for any more
            self._packets.send(message, pipes.fds)
            pipes.message["note"] = _LINES_MAY_BE_MISSING

    def _spawn(self) -> "tuple[subprocess.Popen[bytes], socket.socket]":
        """Return a new process and our end of its socket. Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as undo, theirs:
            undo.callback(ours.close)
            process = subprocess.Popen(
                [*_ARGV, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env={**os.environ, INCARNATION_VARIABLE: self._incarnation},
            )
            undo.pop_all()
        return process, ours

    def _reap(self) -> None:
        if self._packets is not None:
            self._packets.close()
            self._packets = None
        if self._process is not None:
            self._process.kill()
            # If a disk hangs, it cannot end yet: then it is reaped like any orphan.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
            self._process = None
