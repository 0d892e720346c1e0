"""Signals to the supervisor: a handler only notes the number and wakes the loop."""

import faulthandler
import os
import signal
from collections import deque

_HANDLED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
_DRAIN_BYTES = 4_096


class Signals:
    """The signals that have come, and a descriptor that is readable when one has."""

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._come: deque[int] = deque()
        self._had_terminal = has_terminal()
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number in _HANDLED:
            signal.signal(number, lambda come, _frame: self._come.append(come))
        # QUIT tells first where every thread stands, even if the main one is stuck.
        faulthandler.register(signal.SIGQUIT, all_threads=True, chain=True)

    def fileno(self) -> int:
        """The descriptor to wait on for reading."""
        return self._read_fd

    def take(self) -> list[int]:
        """Every signal that has come since the last call, in order."""
        try:
            while os.read(self._read_fd, _DRAIN_BYTES):
                pass
        except BlockingIOError:
            pass
        taken = []
        while self._come:
            taken.append(self._come.popleft())
        return taken

    def terminal_gone(self) -> bool:
        """There was a controlling terminal, and it is no more: a HUP then means the end."""
        return self._had_terminal and not has_terminal()

    def close(self) -> None:
        """Give every signal its default action again."""
        faulthandler.unregister(signal.SIGQUIT)
        for number in _HANDLED:
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.close(self._read_fd)
        os.close(self._write_fd)


def has_terminal() -> bool:
    """Whether this process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def reset_child_signal() -> None:
    """SIGCHLD to its default: a launcher that ignores it would make every exit read as 0."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
