"""PURE: what an exit means, and how it is described.

The exit code alone does not tell: exit 0 can be a failure, and a SIGKILL can come from somebody
else. An exit is judged by what was wanted of the process when it ended.
"""

import signal
from enum import StrEnum

from orpheus.shared.domain.processes import Role, SlotState, signal_name
from orpheus.shared.errors import ExitCode
from orpheus.supervisor.policy.slot import Cause, Desired, Exit, Process, Rules, Slot


class ExitClass(StrEnum):
    """What follows an exit."""

    EXPECTED = "the slot goes down, and starts again at once if it is wanted"
    CONFIGURATION = "the process says that it can never run: fatal at once"
    DATABASE = "the database is away: tried again each second, never counted"
    COUNTED = "a failure: backoff, and fatal at the limit"
    IN_JOB = "a failure of the job that it had entered: backoff, but never fatal"
    ENDED = "a program has ended by itself, and stays down as its `restart` says"


def classify(slot: Slot, process: Process, exit: Exit, rules: Rules, now_s: float) -> ExitClass:
    """Return what follows the exit of `process`; `slot.recycles_s` includes this exit already."""
    if slot.desired is not Desired.UP:
        return ExitClass.EXPECTED
    if slot.role is Role.PROGRAM:
        # Of the codes of a program only 0 has a meaning.
        is_stopping = slot.state in (SlotState.STOPPING, SlotState.KILLING)
        was_told = is_stopping and process.kill_cause is None
        if not was_told and rules.restart.keeps_down(failed=has_failed(process, exit)):
            return ExitClass.ENDED
    elif exit.in_job:
        return ExitClass.IN_JOB
    elif exit.code == ExitCode.CONFIGURATION:
        return ExitClass.CONFIGURATION
    elif exit.code == ExitCode.DATABASE:
        return ExitClass.DATABASE
    return _classify_by_order(slot, process, exit, rules, now_s)


def is_failure(kind: ExitClass, process: Process, exit: Exit) -> bool:
    """Return whether an exit of this class needs attention, if it comes again and again."""
    if kind is ExitClass.ENDED:
        return has_failed(process, exit)
    return kind not in (ExitClass.EXPECTED, ExitClass.DATABASE)


def has_failed(process: Process, exit: Exit) -> bool:
    """Return whether the end of a program is a failure, for its `restart`."""
    return exit.code != 0 or process.kill_cause is not None


def _classify_by_order(
    slot: Slot, process: Process, exit: Exit, rules: Rules, now_s: float
) -> ExitClass:
    if process.kill_reason is not None or not _ended_in_order(slot, exit):
        return ExitClass.COUNTED
    if process.recycle is not None:
        # A process that is replaced again and again without a job done is failing.
        is_loop = not process.seen.jobs_done and len(slot.recycles_s) >= rules.recycle_limit
        return ExitClass.COUNTED if is_loop else ExitClass.EXPECTED
    ran_long = exit.code == 0 and now_s - process.started_s >= rules.early_exit_s
    return ExitClass.EXPECTED if ran_long else ExitClass.COUNTED


def _ended_in_order(slot: Slot, exit: Exit) -> bool:
    was_told_to_stop = slot.state is SlotState.STOPPING
    gave_up = exit.signal == signal.SIGTERM or exit.code == ExitCode.CUT_SHORT
    if slot.role is Role.PROGRAM:  # it may answer its stop signal by any code, or die of it
        gave_up = exit.signal != signal.SIGKILL
    return exit.code == 0 or (was_told_to_stop and gave_up)


def describe(slot: Slot, process: Process, exit: Exit, kind: ExitClass) -> str:
    """Return the reason of an exit in words: `exit code 1: no module`."""
    if exit.error is not None:
        return f"cannot start: {exit.error}"
    if process.kill_reason is not None:
        by_us = exit.signal in (signal.SIGABRT, signal.SIGKILL)
        return f"{process.kill_reason}; {'killed' if by_us else _signal_or_code(process, exit)}"
    by_its_signal = exit.signal is not None or slot.role is Role.PROGRAM
    if exit.code == 0 or (by_its_signal and _ended_in_order(slot, exit)):
        unasked = "exited with code 0, unasked"
        if slot.role is Role.PROGRAM:
            unasked = "exited with code 0"
            if kind is ExitClass.COUNTED:
                unasked += " (a program must stay in the foreground)"
        return _WANTED.get(slot.desired) or process.recycle or unasked
    if exit.code == ExitCode.CUT_SHORT and _ended_in_order(slot, exit):
        why = _WANTED.get(slot.desired) or process.recycle or "stopped"
        return f"{why}, and released what it had not finished"
    if exit.signal == signal.SIGKILL:
        return _KILLED[exit.out_of_memory]
    return _signal_or_code(process, exit)


_CANNOT_EXECUTE = 127
_MOST_SHOWN = 200
_WANTED = {Desired.DOWN: "stopped", Desired.DRAINED: "drained", Desired.REPLACE: "replaced"}
_KILLED = {
    True: "killed by the kernel: out of memory",
    False: "killed by SIGKILL: a person or program sent it",
    None: "killed by SIGKILL: memory ran out, or a person sent it",
}


def cause_of(slot: Slot, process: Process, exit: Exit) -> Cause:
    """Return what the exit is counted as."""
    if exit.error is not None:
        return Cause.CANNOT_START
    if process.kill_cause is not None:
        return process.kill_cause
    if slot.desired is not Desired.UP:
        return Cause.REPLACED if slot.desired is Desired.REPLACE else Cause.STOPPED
    if exit.code == ExitCode.CONFIGURATION and slot.role is not Role.PROGRAM:
        return Cause.CONFIGURATION
    if process.recycle is not None and _ended_in_order(slot, exit):
        return Cause.RECYCLED
    if process.kill_reason is not None:  # it was told to end, and did not
        return Cause.HUNG
    if exit.signal == signal.SIGKILL:
        return Cause.OUT_OF_MEMORY if exit.out_of_memory else Cause.KILLED
    if exit.signal is not None:
        return Cause.CRASHED
    return Cause.FAILED if exit.code else Cause.EXITED


def _signal_or_code(process: Process, exit: Exit) -> str:
    why = process.seen.failed
    if exit.code == _CANNOT_EXECUTE and exit.evidence:  # by us or by a shell, which say why last
        why = exit.evidence.strip().rpartition("\n")[2][:_MOST_SHOWN]
    details = f": {why}" if why else ""
    if exit.signal is not None:
        return f"killed by {signal_name(exit.signal)}{details}"
    return f"exit code {exit.code}{details}"


def was_cut_short(exit: Exit, role: Role) -> bool:
    """Return whether a stopping process had to be killed, or released unfinished jobs."""
    if role is Role.PROGRAM:
        return exit.signal == signal.SIGKILL
    by_force = exit.signal is not None and exit.signal != signal.SIGTERM
    return by_force or exit.code == ExitCode.CUT_SHORT
