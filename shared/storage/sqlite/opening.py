"""Opens the database file, checks that it is ours, and brings its schema up to date."""

import os
import stat
from functools import partial
from pathlib import Path
from typing import cast

import apsw

from orpheus.shared.errors import DatabaseMissing, DatabaseUnusable
from orpheus.shared.process.clock import Clock
from orpheus.shared.process.files import READ_ONLY, make_private_folder, run_as_owner
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage.migrate import Migration, Schema, load_migrations, pending
from orpheus.shared.storage.sqlite import inherited
from orpheus.shared.storage.sqlite.apsw_errors import BusyHandler, translated
from orpheus.shared.storage.sqlite.history import check_history
from orpheus.shared.storage.sqlite.lost_frames import check_log, read_committed_frames
from orpheus.shared.storage.sqlite.same_files import SameFiles
from orpheus.shared.storage.sqlite.write_ahead_log import WAL_BOUND_BYTES

_OLDEST_SAFE_SQLITE = (3, 51, 3)  # before it the WAL-reset bug corrupts a shared database
_STATEMENTS_KEPT = 400  # all of ours: with apsw's 100, a busy program prepares a tenth anew
_APPLICATION_ID = 0x4F525048  # "ORPH" in the file's header
_VERSIONS = 10_000  # a version has four digits
_PRAGMAS = (
    "journal_mode = WAL",
    "foreign_keys = ON",
    "mmap_size = 0",
    "trusted_schema = OFF",
    f"journal_size_limit = {WAL_BOUND_BYTES}",
)


def open_connection(
    path: Path, state: StateFiles, *, create: bool, clock: Clock, first: bool = True
) -> tuple[apsw.Connection, SameFiles, int]:
    """Open a connection to a database of the current schema, to the files that all others use.

    Return also the version of that schema, the newest that is known.
    `first`: this process has no other connection, so that it has no lock to lose.
    Raises DatabaseUnusable (see `open_store` in shared/storage); a refused file is not changed.
    Raises DatabaseBusy.
    """
    _check_sqlite_version()
    if create:
        make_private_folder(path.parent)
        make_private_folder(state.folder)
    while True:
        _check_access(path, state, create=create)
        files = SameFiles(path)
        connection = None
        try:
            read = partial(read_committed_frames, path)
            committed = files.read_if_unused(read) if first else None
            alone = files.enter()
            connection = _connect(path, create=create)
            if committed is not None:
                check_log(connection, path, committed, clock.boot_id)
            if alone or files.are_agreed():
                newest = _prepare(connection, path, create=create)
                if alone:
                    files.agree()
                return connection, files, newest
        except BaseException as error:
            close_both(connection, files)
            ours = translated(error, path)
            if ours is not None:
                raise ours from error
            raise
        close_both(connection, files)  # the last other connection was closed at this moment: again


def read_schema(connection: apsw.Connection) -> Schema:
    """Return the schema that the connection sees now."""
    return _schema(cast("int", connection.pragma("user_version")))


def _schema(user_version: int) -> Schema:
    """Return the schema that `PRAGMA user_version` tells: 1000103 is 103, readable from 100.

    103 alone is readable from 103. Both are in one number, so that both change at one moment.
    """
    readable_from, version = divmod(user_version, _VERSIONS)
    return Schema(version, readable_from or version)


def _user_version(schema: Schema) -> int:
    version, readable_from = schema
    return version if readable_from == version else readable_from * _VERSIONS + version


def _connect(path: Path, *, create: bool) -> apsw.Connection:
    """Return a connection that has all its files open, if the database is in WAL mode."""
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    old_umask = os.umask(0o077)
    try:
        connection = apsw.Connection(str(path), flags=flags, statementcachesize=_STATEMENTS_KEPT)
    finally:
        os.umask(old_umask)
    inherited.note_path(connection, path)
    try:
        connection.set_busy_handler(BusyHandler())
        _header(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def close_both(connection: apsw.Connection | None, files: SameFiles) -> bool:
    """Close the connection, then leave the agreement: whoever left it has no file open.

    Return False, and do nothing, if they are those of the process that forked this one.
    """
    if connection in inherited.connections:
        return False
    if connection is not None:
        try:
            connection.close()
        except apsw.Error:
            connection.close(force=True)
    files.leave()
    return True


def _check_sqlite_version() -> None:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < _OLDEST_SAFE_SQLITE:
        raise DatabaseUnusable(
            f"SQLite {apsw.sqlite_lib_version()} can corrupt a database that several processes "
            f"write (WAL-reset bug); install apsw 3.53 or newer"
        )


def _check_access(path: Path, state: StateFiles, *, create: bool) -> None:
    """Raise DatabaseUnusable if there is no file, or one that this user may not read and write.

    An empty file, or none, is a new database, unless something beside it shows that it was one.
    Then SQLite would delete the write-ahead log, which may hold the only copy of the newest jobs.
    """
    try:
        status = path.stat()
    except FileNotFoundError as error:
        _check_is_new(path, "missing", Path(f"{path}-wal"))
        if create:
            return
        raise DatabaseMissing(
            f"there is no database at {path}; if it is elsewhere, give the configuration that says "
            "so (--config FILE or ORPHEUS_CONFIG), else start Orpheus once (`orpheus`, or "
            "`orpheus dev` before the application) to make it"
        ) from error
    except OSError as error:
        raise _unusable(path, error.strerror) from error
    if stat.S_ISDIR(status.st_mode):
        raise DatabaseUnusable(
            f"{path} cannot be used: it is a folder, and `database.url` is to name a file in one"
        )
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        is_read_only = os.statvfs(path).f_flag & os.ST_RDONLY
        raise _unusable(path, READ_ONLY if is_read_only else "Permission denied")
    if not status.st_size:
        _check_is_new(path, "empty", Path(f"{path}-wal"), state.cells)


def _check_is_new(path: Path, state: str, *remains: Path) -> None:
    found = [file for file in remains if file.exists() and file.stat().st_size]
    # Look again: another process may have made the database meanwhile.
    if found and not (path.exists() and path.stat().st_size):
        raise DatabaseUnusable(
            f"{path} is {state}, but {found[0]} is of a database that was here; nothing was "
            f"changed: put the file back, or move {found[0]} away to start with a backup or anew"
        )


def _unusable(path: Path, reason: str | None) -> DatabaseUnusable:
    return DatabaseUnusable(f"{path} cannot be used: {reason}{run_as_owner(path)}")


def _prepare(connection: apsw.Connection, path: Path, *, create: bool) -> int:
    """Let the database have the newest schema; without `create`, only look. Return its version."""
    migrations = load_migrations("orpheus.shared.storage.sqlite.migrations")
    application, schema, has_tables = _header(connection)
    if application != _APPLICATION_ID and (application or has_tables):
        raise DatabaseUnusable(f"{path} is a database of another program; it was left as it is")
    needed = pending(path, schema, migrations, may_migrate=create)
    if schema.version == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    # Else a statement is prepared again at each use (12 us of 15) where a value that is bound to it
    # might let the planner use a partial index. Our queries state the terms of such an index.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    for migration in needed:
        _migrate(connection, migration)
    if create:
        check_history(connection, path)
    _header(connection)  # opens the -wal and the -shm file, if nothing has yet
    return migrations[-1].version


def _migrate(connection: apsw.Connection, migration: Migration) -> None:
    """Run one migration in a transaction, unless another process was first."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        schema = _header(connection)[1]
        if schema.version < migration.version:
            connection.execute(migration.sql)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            oldest = max(schema.readable_from, migration.readable_from)
            number = _user_version(Schema(migration.version, oldest))
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _header(connection: apsw.Connection) -> tuple[int, Schema, bool]:
    """Return the application id, the schema, and whether there is any table.

    One statement reads them at one moment: another process may be creating the schema right now.
    """
    sql = """SELECT application_id, user_version, EXISTS (SELECT 1 FROM sqlite_schema)
        FROM pragma_application_id, pragma_user_version"""
    [row] = connection.execute(sql).fetchall()
    application, user_version, has_tables = cast("tuple[int, int, int]", row)
    return application, _schema(user_version), bool(has_tables)
