"""Signals to stop, while a program does not handle them itself: at its start and while it restarts.

This imports nothing large, so that a program can call it before its other imports.
"""

import signal
import sys

_STOPS = (signal.SIGTERM, signal.SIGINT)
_HELD = (*_STOPS, signal.SIGHUP)


def exit_at_stop_signals() -> None:
    """Exit with 0 at a signal to stop: there is nothing to finish yet.

    Also at one that `hold_stop_signals` has held for the program that this one replaces.
    """
    for number in _STOPS:
        signal.signal(number, lambda *_: sys.exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)


def hold_stop_signals() -> None:
    """Let a signal to stop wait, for the program that this process executes next."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)


def default_stop_signals() -> None:
    """Die of a signal to stop, as a program that handles none does."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
