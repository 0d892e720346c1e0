"""Lets one call at a time use something, and refuses a call that has interrupted another.

A signal handler runs between any two steps of what its thread does, also inside of a call that uses
the database, and so does a `__del__`. Behind a Lock, a call that it makes would wait for ever for
the one that it interrupted. Behind an RLock, it would join it, in the middle of its transaction.

A handler may come at any step of `run`, too. Before `_is_used` is set and after it is cleared, the
interrupted call does nothing, so the other one is done in between. And `with` releases the lock
whatever a handler raises.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class _Here(threading.local):
    calls = 0
    """How many calls this thread is inside of."""


_here = _Here()


def is_inside_call() -> bool:
    """Return whether this thread is inside a call of any OneAtATime: a signal handler asks."""
    return _here.calls > 0


class OneAtATime:
    """Runs calls of several threads one after the other. `name`: what they use, for its user."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.RLock()
        self._is_used = False

    def run(self, call: Callable[[], T]) -> T:
        """Return what `call` returns. Raises RuntimeError inside of another call of this thread."""
        with self._lock:
            if self._is_used:
                raise RuntimeError(f"the {self._name} is in use by the call that was interrupted")
            try:
                self._is_used = True
                _here.calls += 1
                return call()
            finally:
                _here.calls -= 1
                self._is_used = False

    def wait(self) -> None:
        """Wait until no other thread is inside a call."""
        with self._lock:
            pass

    def hold(self) -> bool:
        """Let no call begin until `let_go`; return False if another thread is inside of one."""
        if not self._lock.acquire(blocking=False):
            return False
        self._is_used = True
        return True

    def let_go(self) -> None:
        """Let calls begin again."""
        self._is_used = False
        self._lock.release()

    def begin_anew(self) -> None:
        """Forget the calls of the parent process, in a forked child."""
        self._is_used = False
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._lock = threading.RLock()  # the thread that holds it is the parent's
