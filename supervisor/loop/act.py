"""Performs the actions that the policy decides on.

Whether an action had its effect is observed in a later turn; nothing here waits for it.
"""

import contextlib
import os
from collections.abc import Mapping
from functools import partial

from orpheus.shared.domain.events import Kind
from orpheus.shared.logs import get_logger
from orpheus.shared.process.failpoints import failpoint
from orpheus.shared.process.state_files import StateFiles
from orpheus.supervisor.linux.adoption import incarnation_prefix
from orpheus.supervisor.linux.process_handle import ProcessHandle
from orpheus.supervisor.loop.child import ChildHandle
from orpheus.supervisor.plan.plan import ProcessSpec
from orpheus.supervisor.policy.slot import (
    Action,
    Announce,
    Cause,
    Desired,
    ProcessCommand,
    ProcessEnded,
    SendCommand,
    Slot,
)
from orpheus.supervisor.programs.handle import ProgramHandle
from orpheus.supervisor.programs.output import ProgramOutput
from orpheus.supervisor.recorder import Recorder

log = get_logger()

_WARNINGS = frozenset({Kind.WORKER_HUNG, Kind.WORKER_FATAL})
_EXPECTED = frozenset({Cause.STOPPED, Cause.REPLACED, Cause.RECYCLED})


class Children:
    """The supervisor's children, and what it takes to start them and to record what they do."""

    def __init__(self, state: StateFiles, recorder: Recorder) -> None:
        self.state = state
        self.recorder = recorder
        self.specs: Mapping[str, ProcessSpec] = {}
        """Slot -> what its next process is started from."""
        self.handles: dict[str, ProcessHandle] = {}
        """Incarnation -> its process, until the end of that process has been recorded."""
        self.start_errors: dict[str, str] = {}
        """Incarnation -> why its process could not be started; observed as its exit."""
        self.output = ProgramOutput(state, f"{incarnation_prefix(state)}output")
        """The output of programs."""
        self.bell_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable when the checks of a program have found something."""

    def adopt(self, specs: Mapping[str, ProcessSpec]) -> None:
        """Start processes from these specs from now on; running programs adopt what they can."""
        self.specs = specs
        for child in self.handles.values():
            if isinstance(child, ProgramHandle):
                spec = specs.get(child.slot)
                if spec is not None and spec.program is not None:
                    child.adopt(spec.program)

    def turn(self) -> None:
        """Take what has arrived from the output process and from checks."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.bell_fd)
        self.output.turn()

    def own_pids(self) -> set[int]:
        """Return the pid of every process that we have started and reap ourselves."""
        output = () if self.output.pid is None else (self.output.pid,)
        return {*self.pids().values(), *output}

    def pids(self) -> dict[str, int]:
        """Return the pid of each incarnation."""
        return {child.incarnation: child.pid for child in self.handles.values()}

    def perform(self, slot: Slot, action: Action) -> None:
        """Perform an action; a command to a process that has ended is ignored."""
        match action:
            case SendCommand(ProcessCommand.SPAWN, incarnation):
                self._spawn(slot, incarnation)
            case SendCommand(command, incarnation):
                child = self.handles.get(incarnation)
                if child is not None:
                    child.send(command, action.within_s)
                    log.debug("signalled", slot=slot.name, pid=child.pid, command=command.value)
                    if command is ProcessCommand.CONTINUE:
                        why = "it was stopped by a signal, and is sent SIGCONT"
                        log.warning("process_continued", slot=slot.name, pid=child.pid, reason=why)
            case Announce():
                self._announce(slot, action)
            case ProcessEnded():
                try:
                    if action.cause is not None:  # else it is still there after SIGKILL
                        self._forget(action.incarnation)
                finally:  # whatever else goes wrong, its leases are to be freed
                    self.recorder.end_process(action)

    def _spawn(self, slot: Slot, incarnation: str) -> None:
        try:
            child = self._start(self.specs[slot.name], incarnation)
        except Exception as error:  # noqa: BLE001 - no memory or descriptor left, or an error of ours
            log.warning("cannot_start", slot=slot.name, reason=repr(error))
            self.start_errors[incarnation] = str(error)
            return
        failpoint("supervisor.spawned")
        self.handles[incarnation] = child

    def _start(self, spec: ProcessSpec, incarnation: str) -> ProcessHandle:
        if spec.program is None:
            return ChildHandle.spawn(spec, incarnation, self.state)
        wake = partial(os.eventfd_write, self.bell_fd, 1)
        return ProgramHandle.spawn(spec.name, spec.program, incarnation, self.output, wake)

    def _forget(self, incarnation: str) -> None:
        self.start_errors.pop(incarnation, None)
        child = self.handles.pop(incarnation, None)
        if child is not None:
            child.reap()

    def _announce(self, slot: Slot, news: Announce) -> None:
        child = self.handles.get(news.incarnation or "")
        body: dict[str, object] = {"slot": slot.name, "pool": slot.pool}
        if child is not None:
            body["pid"] = child.pid
        body |= {"incarnation": news.incarnation, "reason": news.reason, **news.details}
        self.recorder.record(news.kind, body)
        shown = {key: value for key, value in body.items() if value and key != "incarnation"}
        write = log.warning if needs_attention(slot, news) else log.info
        write(news.kind.value.replace(".", "_"), **shown)


def needs_attention(slot: Slot, news: Announce) -> bool:
    """Return whether it is a warning: not the end of a program that did its work."""
    if news.kind is Kind.WORKER_EXITED:
        did_its_work = slot.desired is Desired.ENDED and not slot.trouble
        return news.details.get("cause") not in _EXPECTED and not did_its_work
    return news.kind in _WARNINGS
