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
        self._seen: Standstill | None = None
        self._seen_until_s = float("-inf")

    def look(self) -> Standstill | None:
        """Return who holds the write lock if nobody has committed for a while; None: nobody does.

        Inside a transaction no trial is made, so one that is not seen is known from the last look:
        it runs elsewhere, or a line of /proc/locks is missing, as others changed while it was read.
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
        now_s = time.monotonic()
        if pid is None and self._database.in_transaction:
            is_fresh = self._seen is not None and now_s < self._seen_until_s
            return self._seen if is_fresh else None
        if pid is not None:
            self._seen = Standstill(for_s, pid, _command(pid))
        else:
            self._seen = Standstill(for_s, None) if self._is_held() else None
        self._seen_until_s = now_s + _FRESH_S
        return self._seen

    def _is_held(self) -> bool:
        """Find out by a trial whether no write can begin."""
        try:
            self._database.begin_and_undo(_TRIAL_S)
        except DatabaseBusy:
            return True
        except StorageError:  # not for a lock
            pass
        return False


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:  # it has just ended
        return ""
