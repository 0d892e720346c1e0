"""What every child of the supervisor does first, before it imports anything large.

The order matters. Signals get their default actions first, because a launcher may have left some
ignored. Then PR_SET_PDEATHSIG makes the kernel end this process when the supervisor dies, and only
after it the process checks that the supervisor is still its parent: a death before that call would
go unnoticed. Then faulthandler writes into the crash file of this incarnation, which the supervisor
reads as evidence of the exit, and, on SIGUSR1, into its stack file, which shows an operator what
the process is doing. That handler is C code: it answers while a job's C code holds the GIL and no
Python code can run.
"""

import ctypes
import faulthandler
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.process.channel import Channel

INCARNATION_VARIABLE = "_ORPHEUS_INCARNATION"
"""In the environment of a child and of all it starts: the incarnation that they belong to."""

_PR_SET_PDEATHSIG = 1
_HANDOVER_TIMEOUT_S = 30.0
_stacks_fd = -1


class ChildStart(msgspec.Struct, frozen=True):
    """What a child was given: its channel, who it is, and its handover."""

    channel: Channel
    slot: str
    incarnation: str
    handover: Mapping[str, Any]


def enter_child(control_fd: int) -> ChildStart:
    """Become a child of the supervisor at the other end of `control_fd`. Main thread only.

    Leaves signals at their default action, with these exceptions: SIGSEGV, SIGABRT and their like
    write the stacks of all threads before they end the process; SIGUSR1 writes them and lets it go
    on, and is ignored before that is set up and while the process exits; SIGPIPE and SIGXFSZ are
    ignored. Exits 1 if the supervisor is already gone. Raises DatabaseUnusable if the folder of
    the crash file is gone, which is beside the database.
    """
    global _stacks_fd
    _reset_signals()
    die_with_parent(signal.SIGTERM)
    channel = Channel.from_fd(control_fd)
    first = channel.receive_first(_HANDOVER_TIMEOUT_S)
    handover = first.get("handover") if first else None
    if not isinstance(handover, dict) or os.getppid() != handover["supervisor_pid"]:
        sys.exit("The supervisor that started this process is gone.")
    faulthandler.enable(_open_for_faults(handover["crash_file"]), all_threads=True)
    _stacks_fd = _open_for_faults(handover["stack_file"])
    faulthandler.register(signal.SIGUSR1, _stacks_fd, all_threads=True, chain=False)
    os.register_at_fork(after_in_child=_reset_stack_signal)
    return ChildStart(channel, handover["slot"], handover["incarnation"], handover)


def write_stacks() -> None:
    """Write the stacks of all threads, as SIGUSR1 does, while no thread can begin or end.

    The handler of a signal runs while other threads go on, and one that just began or ended has
    crashed the process. So the signal is for a process in which no Python code can run.
    """
    faulthandler.dump_traceback(_stacks_fd, all_threads=True)


def _open_for_faults(path: str) -> int:
    """Open a file for faulthandler, which keeps the number: it is never closed."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:  # the folder is beside the database
        raise DatabaseUnusable(f"unable to open {path}: {error.strerror}") from error


def _reset_stack_signal() -> None:
    """Give SIGUSR1 its default action in a forked child: only this process is asked for a stack."""
    faulthandler.unregister(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def _reset_signals() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if number < signal.SIGRTMIN:  # the C library keeps the first real-time signals for itself
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    # A write to a closed pipe or past a file size limit is an error to handle, not a death.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # faulthandler restores this when the interpreter exits: a process that is asked for its stack
    # just then would die of the default action. A program it starts gets the default action all
    # the same: exec resets a signal that is handled, as this one is by then.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def die_with_parent(number: signal.Signals) -> None:
    """Have the kernel send `number` to this process when the thread that started it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
