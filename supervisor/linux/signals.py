"""Receives the supervisor's signals: a handler only notes the number and wakes the main loop."""

import contextlib
import faulthandler
import os
import signal
from collections import deque

_STOPS = (signal.SIGTERM, signal.SIGINT)
_RELOADS = (signal.SIGHUP, signal.SIGUSR2)
HANDLED = (*_STOPS, *_RELOADS, signal.SIGQUIT, signal.SIGTTIN, signal.SIGTTOU)
_DRAIN_BYTES = 4_096


class _StartEnded(KeyboardInterrupt):
    """Ends the start at a signal to stop. It is not a plain KeyboardInterrupt.

    A plain one that interrupts `exec`, which named tuples use, ends Python even if it is caught.
    """


class Signals:
    """The signals that have arrived, and a descriptor that is readable when one has.

    While the supervisor starts (until `take_over`), what asks for a reload is noted, and done once
    the main loop runs. A signal to stop ends the start at once, by KeyboardInterrupt: there is
    nothing to finish yet.
    """

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._arrived: deque[int] = deque()
        self._had_terminal = has_terminal()
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number in _STOPS:
            signal.signal(number, _end_start)
        for number in _RELOADS:
            signal.signal(number, self._note_in_start)

    def take_over(self) -> None:
        """Note every signal from now on: the main loop carries out those to stop, too."""
        for number in HANDLED:
            signal.signal(number, self._note)
        # QUIT writes the stack of every thread first, even if the main thread is stuck.
        faulthandler.register(signal.SIGQUIT, all_threads=True, chain=True)

    def _note_in_start(self, number: int, _frame: object) -> None:
        if number == signal.SIGHUP and self.terminal_gone():
            _end_start()
        self._arrived.append(number)

    def _note(self, number: int, _frame: object) -> None:
        self._arrived.append(number)

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""
        return self._read_fd

    def take(self) -> list[int]:
        """Return every signal since the last call, in order."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read_fd, _DRAIN_BYTES):
                pass
        return [self._arrived.popleft() for _ in range(len(self._arrived))]

    def terminal_gone(self) -> bool:
        """Return whether the controlling terminal is gone: SIGHUP then means stop, not reload."""
        return self._had_terminal and not has_terminal()

    def close(self) -> None:
        """Ignore every signal from now on: the process is about to exit, with its own code."""
        faulthandler.unregister(signal.SIGQUIT)
        for number in HANDLED:
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        os.close(self._read_fd)
        os.close(self._write_fd)


def _end_start(*_: object) -> None:
    """End the start. More signals must not interrupt what ends the process that it has started.

    One that has arrived with this one finds a handler: Python writes a traceback if one that it
    was about to handle is ignored by then. One that comes later waits until the process has ended.
    """
    for number in (*_STOPS, *_RELOADS):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, (*_STOPS, *_RELOADS))
    raise _StartEnded


def has_terminal() -> bool:
    """Return whether this process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def reset_child_signal() -> None:
    """Restore SIGCHLD's default action: if it is ignored, every exit code reads as 0."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
