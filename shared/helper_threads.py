"""Starts threads that handle no signals: those are for the main thread.

Otherwise a helper would take a signal that the main thread holds back for a moment.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def without_signals() -> Iterator[None]:
    """Block every signal in the threads that are started meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_without_signals(thread: threading.Thread) -> None:
    """Start a thread in which every signal is blocked.

    Not for one that runs jobs: the programs that they start would inherit that.
    """
    with without_signals():
        thread.start()
