"""Whether writes to the database file are impossible.

A process holds its lock and stands still, the disk is full, or the file was moved away. Heartbeats
and the states of slots are rows, so nobody can record this in the database. Whoever reads them
finds it out here. The write-ahead log, which each commit changes, tells that somebody can write;
not so on a full disk, where a commit changes it and fails. An old one tells nothing by itself.
"""

import time
from pathlib import Path

from orpheus.shared.errors import DatabaseBusy, StorageError
from orpheus.shared.process.write_lock import write_lock_holder
from orpheus.shared.storage.figures import Standstill
from orpheus.shared.storage.sqlite.connection import SqliteDatabase

_TRIAL_S = 0.25
_FRESH_S = 2.0


class StandstillWatch:
    """Looks whether writes are impossible. One caller at a time."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._seen: Standstill | None = None
        self._seen_until_s = float("-inf")

    def look(self) -> Standstill | None:
        """Return who or what keeps everybody from writing; None: somebody can.

        Inside a transaction no write can be tried: what was found outside a moment ago is returned.
        """
        if self._database.in_transaction:
            return self._seen if time.monotonic() < self._seen_until_s else None
        self._seen = self._find()
        self._seen_until_s = time.monotonic() + _FRESH_S
        return self._seen

    def _find(self) -> Standstill | None:
        try:
            self._database.check_names()
            return self._find_holder()
        except StorageError as error:
            return Standstill(None, None, why=str(error))

    def _find_holder(self) -> Standstill | None:
        """Return who holds the lock, if the log is quiet and a trial shows that no write can begin.

        Each writer holds the lock for a moment, so one that commits during the trial is not meant.
        The age of the log says nothing once the clock was set back.
        """
        log, shm = (Path(f"{self._database.path}-{name}") for name in ("wal", "shm"))
        try:
            written_ns = log.stat().st_mtime_ns
            for_s = self._database.quiet_for_s()
            if for_s is None and not self._database.has_little_space():
                return None
            if not self._is_held() or for_s is None or log.stat().st_mtime_ns != written_ns:
                return None
            pid = write_lock_holder(shm.stat())
        except OSError:  # nobody has opened the database
            return None
        command = "" if pid is None else _command(pid)
        return Standstill(for_s if for_s >= 0 else None, pid, command)

    def _is_held(self) -> bool:
        """Return whether no write can begin for a lock, after trying one. Raises StorageError."""
        try:
            self._database.begin_and_undo(_TRIAL_S)
        except DatabaseBusy:
            return True
        return False


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:  # it has just ended
        return ""
