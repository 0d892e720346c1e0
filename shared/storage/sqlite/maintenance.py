"""Checks, verifies and copies the database file, and keeps its write-ahead log small.

Others go on working meanwhile. Reading takes one snapshot, and a snapshot keeps the write-ahead log
from being emptied: while a check, a verification or a backup runs, the log grows by what is written
(shared/storage/sqlite/write_ahead_log.py). `checkpoint` makes it small again once they are over, if
nothing is written then.
"""

import contextlib
import os
from pathlib import Path

import apsw

from orpheus.shared.errors import DatabaseFull, DatabaseUnusable, StorageError
from orpheus.shared.process.files import sync_folder
from orpheus.shared.storage.data import BackupRefused
from orpheus.shared.storage.figures import Standstill
from orpheus.shared.storage.sqlite.connection import SqliteDatabase
from orpheus.shared.storage.sqlite.free_space import free_bytes_beside
from orpheus.shared.storage.sqlite.history import give_new_epoch, note_history
from orpheus.shared.storage.sqlite.standstill import StandstillWatch
from orpheus.shared.storage.sqlite.write_ahead_log import WAL_BOUND_BYTES
from orpheus.shared.storage.verbs.events import Events

_MOST_PROBLEMS = 10
_OPEN_BYTES = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
_BACKUP_STEP_PAGES = 1_000


class FileMaintenance:
    """The port `Maintenance` (shared/storage/database.py), for one file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._events = Events(database)
        self._noted = ("", 0)
        self._standstill = StandstillWatch(database)

    def check(self) -> list[str]:
        """Return what is damaged in the file, one sentence each; empty if nothing is.

        It reads the whole file. If damage prevents that, the last sentence says so.
        """
        problems = []
        try:
            rows = self._database.all(f"PRAGMA integrity_check({_MOST_PROBLEMS})")
            problems += [str(row[0]) for row in rows if row[0] != "ok"]
        except DatabaseUnusable as error:
            problems.append(str(error))
        return problems

    def verify(self) -> list[str]:
        """Return which invariants do not hold, one sentence each, beginning with its name (`I4`).

        It reads every job, attempt and event at one moment, and reports at most 10 breaches of
        each invariant. I16 is `check`. A table that cannot be read is a breach too.
        """
        from orpheus.shared.storage.verbs.invariants import broken_invariants  # noqa: PLC0415 - seldom

        with self._database.snapshot_of_all():
            problems = [f"I16: {problem}" for problem in self.check()]
            return problems + broken_invariants(self._database)

    def backup(self, target: Path) -> None:
        """Write the database as it is now to `target`, a new file, while others go on working.

        The copy gets its name once it is complete and checked.
        Raises BackupRefused if something has that name already or there is no such folder,
        DatabaseFull without space for it, DatabaseUnusable if it cannot be read or written.
        """
        if os.path.lexists(target):
            raise BackupRefused(f"{target} exists already; a backup overwrites nothing")
        if not target.parent.is_dir():
            raise BackupRefused(f"there is no folder {target.parent} to keep the backup in")
        part = target.with_name(f"{target.name}.part-{os.urandom(4).hex()}")
        try:
            self._copy_to(part)
            _finish_copy(part)
            part.rename(target)
            sync_folder(target.parent)
        except (apsw.FullError, DatabaseFull):
            raise DatabaseFull(f"no space is left for the backup at {target}") from None
        except (apsw.Error, OSError, StorageError) as error:
            raise DatabaseUnusable(f"the backup at {target} could not be made: {error}") from error
        finally:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{part}{suffix}").unlink(missing_ok=True)

    def _copy_to(self, part: Path) -> None:
        old_umask = os.umask(0o077)
        try:
            copy = apsw.Connection(str(part))
            with contextlib.closing(copy):
                copy.execute(
                    "PRAGMA journal_mode = OFF"
                )  # a partial copy is deleted, never recovered
                self._database.copy_to(copy, _BACKUP_STEP_PAGES)
        finally:
            os.umask(old_umask)

    def checkpoint(self) -> None:
        """Empty a write-ahead log of over 64 MiB. Does not wait: if it is in use, try later.

        Commits write it again from its start, so it is long only after a long read prevented that.
        """
        if self.wal_bytes() <= WAL_BOUND_BYTES:
            return
        if self._database.checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE):
            self._database.checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def fold_counts(self) -> None:
        """Do nothing: each transaction changes the count itself."""

    def note_history(self) -> None:
        """Note how far the events have come, so that a start notices a restored backup."""
        now = (self._events.epoch(), self._events.last_seq())
        if now != self._noted:
            note_history(self._database.path, *now)
            self._noted = now

    def database_bytes(self) -> int:
        """Size of the database file, or of the open file if it was moved away."""
        return _size_bytes(self._database.path) or sum(
            row[0] for row in self._database.all(_OPEN_BYTES)
        )

    def wal_bytes(self) -> int:
        """Size of the write-ahead log that stands beside it."""
        return _size_bytes(Path(f"{self._database.path}-wal"))

    def oldest_transaction_s(self) -> float:
        """Return 0: readers are short, and `checkpoint` copes with them."""
        return 0.0

    def standstill(self) -> Standstill | None:
        """See Maintenance."""
        return self._standstill.look()

    def free_bytes(self) -> int:
        """Return the free space on the device that holds the database. Raises DatabaseUnusable."""
        return free_bytes_beside(self._database.path)


def _finish_copy(part: Path) -> None:
    """Check the copy, and let its events belong to a history of their own."""
    copy = apsw.Connection(str(part), flags=apsw.SQLITE_OPEN_READWRITE)
    with contextlib.closing(copy):
        give_new_epoch(copy)
        rows = copy.execute("PRAGMA integrity_check(1)").fetchall()
    if rows != [("ok",)]:
        raise apsw.CorruptError(str(rows[0][0]))


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
