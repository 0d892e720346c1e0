"""Signals to stop, while a program does not handle them itself: at its start and while it restarts.

This imports nothing large, so that a program can call it before its other imports.
"""

import os
import signal
import sys


def stop_signals() -> tuple[signal.Signals, ...]:
    """Return the signals to stop. SIGHUP is one unless it is ignored, as under nohup."""
    always = (signal.SIGTERM, signal.SIGINT)
    is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return always if is_ignored else (*always, signal.SIGHUP)


def exit_at_stop_signals() -> None:
    """Exit with 0 at a signal to stop: there is nothing to finish yet.

    This includes a signal that `hold_stop_signals` has held in the program before this one. The
    exit is immediate: imports release their locks in callbacks of weak references, and Python
    ignores a SystemExit that is raised there.
    """
    for number in stop_signals():
        signal.signal(number, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, stop_signals())


def end_at_stop_signals() -> None:
    """Raise SystemExit(0) at a signal to stop, so that what has been begun is cleaned up.

    Not during imports; see `exit_at_stop_signals`.
    """
    for number in stop_signals():
        signal.signal(number, lambda *_: sys.exit(0))


def hold_stop_signals() -> None:
    """Let a signal to stop wait, for the program that this process executes next.

    Only this thread holds signals. A thread that runs jobs, or that a job has left, may still take
    one. So that it is not lost there, its default action ends the process.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals())
    for number in stop_signals():
        signal.signal(number, signal.SIG_DFL)


def default_stop_signals() -> None:
    """Die of a signal to stop, as a program that handles none does."""
    for number in stop_signals():
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
