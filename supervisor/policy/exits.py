"""PURE: what an exit means, and what it is called.

Exit 0 is not always well, SIGKILL is not always ours: what counts is what was wanted of the life
when it ended.
"""

import signal
from enum import StrEnum

from orpheus.shared.domain.processes import SlotState
from orpheus.shared.errors import ExitCode
from orpheus.supervisor.policy.slot import Cause, Desired, Exit, Life, Rules, Slot


class ExitClass(StrEnum):
    """What follows an exit."""

    WANTED = "wanted: the slot goes down, and is started again if it is to be replaced"
    RECYCLED = "wanted: a new life starts at once"
    FINISHED = "ended by itself after a long life: a new life starts at once"
    CONFIGURATION = "it says it can never run: fatal at once"
    COUNTED = "a failure: backoff, and fatal at the limit"


def classify(slot: Slot, life: Life, exit: Exit, rules: Rules, now_s: float) -> ExitClass:
    """What the exit of `slot`'s present life means."""
    if slot.desired is not Desired.UP:
        return ExitClass.WANTED
    if exit.code == ExitCode.CONFIGURATION:
        return ExitClass.CONFIGURATION
    if life.condemned is None and _ended_in_order(slot, exit):
        if life.recycle is not None:
            return ExitClass.RECYCLED if life.jobs_done else _recycled(slot, rules, now_s)
        if exit.code == 0 and now_s - life.started_s >= rules.early_exit_s:
            return ExitClass.FINISHED
    return ExitClass.COUNTED


def _ended_in_order(slot: Slot, exit: Exit) -> bool:
    asked_to_stop = slot.state is SlotState.STOPPING
    gave_up = exit.signal == signal.SIGTERM or exit.code == ExitCode.CUT_SHORT
    return exit.code == 0 or (asked_to_stop and gave_up)


def _recycled(slot: Slot, rules: Rules, now_s: float) -> ExitClass:
    """A process that is replaced again and again without a job done is failing."""
    recent = [at_s for at_s in slot.recycles_s if at_s > now_s - rules.recycle_window_s]
    loops = len(recent) + 1 >= rules.recycle_limit
    return ExitClass.COUNTED if loops else ExitClass.RECYCLED


def describe(slot: Slot, life: Life, exit: Exit) -> str:
    """The reason of an exit in words: `killed by SIGKILL; out of memory?`."""
    if exit.error is not None:
        return f"cannot start: {exit.error}"
    if life.condemned is not None:
        by_us = exit.signal in (signal.SIGABRT, signal.SIGKILL)
        return f"{life.condemned}; {'killed' if by_us else _plain(life, exit)}"
    if exit.code == 0 or (exit.signal == signal.SIGTERM and _ended_in_order(slot, exit)):
        wanted = {Desired.DOWN: "stopped", Desired.DRAINED: "drained", Desired.REPLACE: "replaced"}
        return wanted.get(slot.desired) or life.recycle or "exited with code 0, unasked"
    if exit.signal == signal.SIGKILL:
        return _KILLED[exit.out_of_memory]
    return _plain(life, exit)


_KILLED = {
    True: "killed by the kernel: out of memory",
    False: "killed by SIGKILL, not for memory: somebody sent it",
    None: "killed by SIGKILL; out of memory?",
}


def cause_of(slot: Slot, life: Life, exit: Exit) -> Cause:
    """What the exit is counted as."""
    if exit.error is not None:
        return Cause.CANNOT_START
    if life.verdict is not None:
        return life.verdict
    if slot.desired is not Desired.UP:
        return Cause.REPLACED if slot.desired is Desired.REPLACE else Cause.STOPPED
    if exit.code == ExitCode.CONFIGURATION:
        return Cause.CONFIGURATION
    if life.recycle is not None and _ended_in_order(slot, exit):
        return Cause.RECYCLED
    if life.condemned is not None:  # it was told to end, and did not
        return Cause.HUNG
    if exit.signal == signal.SIGKILL:
        return Cause.OUT_OF_MEMORY if exit.out_of_memory else Cause.KILLED
    if exit.signal is not None:
        return Cause.CRASHED
    return Cause.FAILED if exit.code else Cause.EXITED


def _plain(life: Life, exit: Exit) -> str:
    said = f": {life.failed}" if life.failed else ""
    if exit.signal is not None:
        return f"killed by {signal_name(exit.signal)}{said}"
    return f"exit code {exit.code}{said}"


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; `signal 40` where there is no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def was_cut_short(exit: Exit) -> bool:
    """A stopping process had to be killed, or gave back unfinished work."""
    by_force = exit.signal is not None and exit.signal != signal.SIGTERM
    return by_force or exit.code == ExitCode.CUT_SHORT
