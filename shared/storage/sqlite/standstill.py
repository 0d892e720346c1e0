"""Whether nobody can write to the database file, because a process holds its lock and stands still.

Heartbeats and the states of slots are rows, so nobody can write down then that nobody can write:
who reads them finds it out here, by the write-ahead log, which each commit changes.
"""

import time
from pathlib import Path

from orpheus.shared.domain.concerns import Standstill
from orpheus.shared.errors import DatabaseBusy, StorageError
from orpheus.shared.process.write_lock import write_lock_holder
from orpheus.shared.storage.sqlite.connection import SqliteDatabase

_QUIET_S = 3.0
"""Heartbeats are written more often, by default; who looks more closely looks for nothing."""
_TRIAL_S = 0.25
_FRESH_S = 2.0


class StandstillWatch:
    """Looks whether nobody can write. One caller at a time."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._unseen_until_s = float("-inf")

    def look(self) -> Standstill | None:
        """Return who holds the write lock if nobody has committed for a while; None: nobody does.

        Inside a transaction, a holder that cannot be seen from here is known from the last look.
        """
        path = self._database.path
        try:
            wal, shm = (Path(f"{path}-{name}").stat() for name in ("wal", "shm"))
            for_s = time.time() - wal.st_mtime
            if for_s < _QUIET_S:
                return None
            pid = write_lock_holder(shm)
        except OSError:  # nobody has opened the database
            return None
        if pid is not None:
            return Standstill(for_s, pid, _command(pid))
        return Standstill(for_s, None) if self._is_held_unseen() else None

    def _is_held_unseen(self) -> bool:
        """Find out by a trial whether a write can begin."""
        if self._database.in_transaction:
            return time.monotonic() < self._unseen_until_s
        try:
            self._database.begin_and_undo(_TRIAL_S)
        except DatabaseBusy:
            self._unseen_until_s = time.monotonic() + _FRESH_S
            return True
        except StorageError:  # not for a lock
            pass
        self._unseen_until_s = float("-inf")
        return False


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:  # it has just ended
        return ""
