"""Translates apsw's exceptions into the errors of shared/errors.py, and waits for locks."""

import time
from pathlib import Path

import apsw

from orpheus.shared.errors import (
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnusable,
    ReadTookTooLong,
    StorageError,
)
from orpheus.shared.storage.database import OF_DAMAGE

_BUSY_STEP_S = 0.000_1
BUSY_BOUND_S = 10.0


def translated(error: BaseException, path: Path) -> StorageError | None:
    """Return what the error means to the user; None for a bug of ours, which is not translated."""
    unusable = DatabaseUnusable(f"the database {path} cannot be used: {error}")
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return DatabaseBusy(
            f"another process has held the database for over {BUSY_BOUND_S:.0f} s; "
            "nothing was written, try again"
        )
    if isinstance(error, apsw.FullError):
        return DatabaseFull(f"no space is left on the device that holds {path}")
    if isinstance(error, apsw.InterruptError):
        return ReadTookTooLong("reading it took too long and was stopped; ask for less, or later")
    if _is_of_damage(error):
        return DatabaseUnusable(
            f"the database {path} is damaged or no database: {error}; {OF_DAMAGE}"
        )
    if isinstance(error, apsw.IOError | apsw.CantOpenError | apsw.ReadOnlyError):
        return unusable
    if getattr(error, "extendedresult", 0) == apsw.SQLITE_CONSTRAINT_TRIGGER:  # it was moved
        return unusable
    return None


def _is_of_damage(error: BaseException) -> bool:
    """Return whether it tells of a damaged page, or of text or JSON that nobody has stored."""
    if isinstance(error, apsw.SQLError):
        return "malformed JSON" in str(error)
    return isinstance(error, apsw.CorruptError | apsw.NotADBError | UnicodeDecodeError)


class BusyHandler:
    """Waits for a lock in constant steps of 0.1 ms, for at most `bound_s`.

    SQLite's own steps grow with each try, which starves a waiter for seconds under load. Those who
    wait to write take turns instead (shared/storage/sqlite/turns.py).
    """

    def __init__(self, bound_s: float = BUSY_BOUND_S) -> None:
        self._bound_s = bound_s
        self._gives_up_at = 0.0

    def __call__(self, tries: int) -> bool:
        """Wait one step; False if the time is over. `tries` counts the calls for one lock."""
        now = time.monotonic()
        if tries == 0:
            self._gives_up_at = now + self._bound_s
        if now > self._gives_up_at:
            return False
        time.sleep(_BUSY_STEP_S)
        return True
