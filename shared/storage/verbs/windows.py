"""Read a list in windows of an index until a time is over, however much of it matches a filter.

A list that no index answers (a text, two properties that few rows have together) is looked through
in windows, each of which an index delimits. A reader ends when its time is over (`Budget`), with
a cursor: how far it has come. So no page takes long, none skips a row, and whoever wants to know
goes on from there.
"""

import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import msgspec

_FIRST_WINDOW = 500
_LARGEST_WINDOW = 50_000
_MORE_BY = 4

Cursor = TypeVar("Cursor")


class Budget(msgspec.Struct):
    """How many seconds to look for rows, or math.inf. One window is looked through in any case."""

    limit_s: float
    _began_s: float = msgspec.field(default_factory=time.monotonic)

    def next_window(self, looked_at: int, window: int) -> int:
        """Return how many rows can be looked at in what is left of the time; 0: it is over."""
        spent_s = max(time.monotonic() - self._began_s, 1e-6)
        # Half of what the rate so far promises: what comes may not be in memory.
        affordable = looked_at / spent_s * (self.limit_s - spent_s) / 2
        if affordable < _FIRST_WINDOW // 2:
            return 0
        return int(min(affordable, window * _MORE_BY, _LARGEST_WINDOW))


class Window(msgspec.Struct, Generic[Cursor], frozen=True):
    """A part of a list."""

    after: Cursor | None
    edge: Cursor | None
    """Its last row; None: there is none behind it."""
    looked_at: int


def windows(
    cursor: Cursor | None,
    edge_of: Callable[[Cursor | None, int], Cursor | None],
    budget: Budget | None,
) -> Iterator[Window[Cursor]]:
    """Yield parts of a list, one after the other, as long as the time allows.

    `edge_of(cursor, size)` returns the last of so many rows behind a cursor; None: there are not
    more than those. Without a budget, the rest of the list is one part.
    """
    looked_at, size = 0, _FIRST_WINDOW
    while True:
        edge = None if budget is None else edge_of(cursor, size)
        looked_at += size
        yield Window(cursor, edge, looked_at)
        if edge is None or budget is None:
            return
        cursor, size = edge, budget.next_window(looked_at, size)
        if not size:
            return
