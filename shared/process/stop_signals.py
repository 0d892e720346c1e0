"""Signals to stop, while a program does not handle them itself: at its start.

This imports nothing large, so that a program can call it before its other imports.
"""

import signal
import sys

_STOPS = (signal.SIGTERM, signal.SIGINT)


def exit_at_stop_signals() -> None:
    """Exit with 0 at a signal to stop: there is nothing to finish yet."""
    for number in _STOPS:
        signal.signal(number, lambda *_: sys.exit(0))


def default_stop_signals() -> None:
    """Die of a signal to stop, as a program that handles none does."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
