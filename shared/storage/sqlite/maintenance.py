"""Checks, verifies and copies the database file, and keeps its write-ahead log small.

Others go on working meanwhile. Reading takes one snapshot, and a snapshot prevents that the
write-ahead log is emptied: while a check, a verification or a backup runs, the log grows by what is
written. `checkpoint` makes it small again once they are over.
"""

import contextlib
import os
import secrets
from pathlib import Path

import apsw

from orpheus.shared.errors import DatabaseFull, DatabaseUnusable
from orpheus.shared.storage.data import BackupRefused
from orpheus.shared.storage.sqlite.connection import Database
from orpheus.shared.storage.sqlite.opening import WAL_BOUND_BYTES
from orpheus.shared.storage.sqlite.sql import sql_file
from orpheus.shared.storage.sqlite.stats import wal_bytes

_MOST_PROBLEMS = 10
_BACKUP_STEP_PAGES = 1_000


class Maintenance:
    """Checks, backups and the write-ahead log."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = sql_file("verify.sql")

    def check(self) -> list[str]:
        """Return what is damaged in the file, one sentence each; empty if nothing is.

        It reads the whole file. If damage prevents that, the last sentence says so.
        """
        problems = []
        try:
            rows = self._database.all(f"PRAGMA integrity_check({_MOST_PROBLEMS})")
            problems += [str(row[0]) for row in rows if row[0] != "ok"]
            for table, rowid, parent, _ in self._database.all("PRAGMA foreign_key_check"):
                problems.append(f"{table}: row {rowid} names a row of {parent} that does not exist")
        except DatabaseUnusable as error:
            problems.append(str(error))
        return problems

    def verify(self) -> list[str]:
        """Return which invariants do not hold, one sentence each, beginning with its name (`I4`).

        It reads every job, attempt and event at one moment, and reports at most 10 breaches of
        each invariant. I16 is `check`. A table that cannot be read is a breach too.
        """
        with self._database.snapshot():
            problems = [f"I16: {problem}" for problem in self.check()]
            for name in self._sql:
                invariant = name.partition("-")[0].upper()
                try:
                    rows = self._database.all(self._sql[name], _MOST_PROBLEMS)
                    problems += [f"{invariant}: {row[0]}" for row in rows]
                except DatabaseUnusable as error:
                    problems.append(f"{invariant}: {error}")
        return problems

    def backup(self, target: Path) -> None:
        """Write the database as it is now to `target`, a new file, while others go on working.

        The copy gets its name once it is complete, synced to the disk and checked.
        Raises BackupRefused if something has that name already or there is no such folder,
        DatabaseFull without space for it, DatabaseUnusable if it cannot be read or written.
        """
        if os.path.lexists(target):
            raise BackupRefused(f"{target} exists already; a backup overwrites nothing")
        if not target.parent.is_dir():
            raise BackupRefused(f"there is no folder {target.parent} to keep the backup in")
        part = target.with_name(f"{target.name}.part-{secrets.token_hex(4)}")
        try:
            self._copy_to(part)
            _check_copy(part)
            os.link(part, target)  # unlike a rename it never replaces a file
        except FileExistsError:
            raise BackupRefused(
                f"{target} was created by another process meanwhile; try again"
            ) from None
        except apsw.FullError:
            raise DatabaseFull(f"no space is left for the backup at {target}") from None
        except (apsw.Error, OSError) as error:
            raise DatabaseUnusable(f"the backup at {target} could not be made: {error}") from error
        finally:
            for leftover in part.parent.glob(f"{part.name}*"):
                leftover.unlink()
        _sync_folder(target.parent)

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

        Commits move the log into the database and write its file again from the start, so it is
        long only after a long read prevented that.
        """
        if wal_bytes(self._database.path) <= WAL_BOUND_BYTES:
            return
        if self._database.checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE):
            self._database.checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _check_copy(part: Path) -> None:
    copy = apsw.Connection(str(part), flags=apsw.SQLITE_OPEN_READWRITE)
    with contextlib.closing(copy):
        rows = copy.execute("PRAGMA integrity_check(1)").fetchall()
    if rows != [("ok",)]:
        raise apsw.CorruptError(str(rows[0][0]))


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
