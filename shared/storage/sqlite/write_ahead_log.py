"""Keeps the write-ahead log small, whoever reads and writes: each commit looks at its length.

SQLite moves the log into the database from time to time, and writes it from its start again once
everything is moved and nobody reads it. Readers whose snapshots always overlap never leave it such
a moment, and two busy writers seldom do: the log grew by 30 MB a second. So a commit that finds it
long makes that moment: it keeps writers out, waits a little for those who read now, and moves the
rest; whoever reads from then on needs only the database.

The longer the log, the longer this may wait, and the seldomer it is tried, up to every 64 MiB, as a
reader may hold a snapshot for minutes (a backup). Only the commit that crosses a threshold tries,
in whatever process.
"""

import contextlib
import math
from collections.abc import Callable
from contextlib import AbstractContextManager

import apsw

from orpheus.shared.helper_threads import without_signals
from orpheus.shared.storage.sqlite import inherited
from orpheus.shared.storage.sqlite.apsw_errors import BusyHandler

WAL_BOUND_BYTES = 64 * 1024 * 1024
"""SQLite truncates a longer write-ahead log to this when it starts it again."""
_STEP_FRAMES = 1_000  # of a page each: 4 MiB
_LONG_FRAMES = 2 * _STEP_FRAMES
_THRESHOLDS_PER_DOUBLING = 2
_WAIT_S_PER_FRAME = 0.000_006  # 12 ms for a log of 8 MiB, 100 ms for one of 64
_BOUND_FRAMES = 16 * _STEP_FRAMES
_WAIT_S_BEYOND = 0.25


Waiting = Callable[[BusyHandler], AbstractContextManager[apsw.Connection]]
"""Lets the connection wait for locks by another handler."""


def shorten(connection: apsw.Connection, waiting: Waiting) -> None:
    """Shorten the log, if the last commit, one of this connection, took it past a threshold."""
    if connection in inherited.connections:
        return
    with contextlib.suppress(apsw.Error):  # the commit stands; a later one tries again
        # Busy without a wait if another process is just writing the header of the log's index.
        frames, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        written, _ = connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE, True)
        before = max(0, frames - written)
        if frames // _STEP_FRAMES == before // _STEP_FRAMES:
            return
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        if _threshold(frames) > _threshold(before):
            wait_s = frames * _WAIT_S_PER_FRAME if frames < _BOUND_FRAMES else _WAIT_S_BEYOND
            with without_signals(), waiting(BusyHandler(wait_s)):  # for the reason in turns.py
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)


def _threshold(frames: int) -> int:
    """Return how many of the lengths at which to wait for readers a log has reached."""
    if frames < _LONG_FRAMES:
        return 0
    if frames >= _BOUND_FRAMES:
        return _threshold(_BOUND_FRAMES - 1) + frames // _BOUND_FRAMES
    return 1 + int(_THRESHOLDS_PER_DOUBLING * math.log2(frames / _LONG_FRAMES))
