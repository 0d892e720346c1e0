"""Lets go of what an object holds if nobody closed it and Python collects it."""

import weakref
from collections.abc import Callable
from typing import Any


def when_collected(
    owner: object, let_go: Callable[..., object], *held: Any
) -> "weakref.finalize[..., Any]":
    """Call `let_go(*held)` once `owner` is collected. Call the returned object to do it at once.

    It may run in any thread, between any two of its steps, so it must take no lock that such a
    step may have. At the end of the process it does not run: the kernel closes everything.
    """
    letting_go = weakref.finalize(owner, let_go, *held)
    letting_go.atexit = False
    return letting_go
