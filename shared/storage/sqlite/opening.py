"""Opens the database file, checks that it is ours, and brings its schema up to date."""

import os
from pathlib import Path
from typing import cast

import apsw

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.process.clock import Clock
from orpheus.shared.storage.migrate import Migration, load_migrations
from orpheus.shared.storage.sqlite.apsw_errors import BusyHandler, Translated

_OLDEST_SAFE_SQLITE = (3, 51, 3)  # before it the WAL-reset bug corrupts a shared database
_APPLICATION_ID = 0x4F525048  # "ORPH" in the file's header
WAL_BOUND_BYTES = 64 * 1024 * 1024
"""SQLite truncates a longer write-ahead log to this when it starts it again."""
_PRAGMAS = (
    "journal_mode = WAL",
    "foreign_keys = ON",
    "mmap_size = 0",
    "trusted_schema = OFF",
    f"journal_size_limit = {WAL_BOUND_BYTES}",
)


def open_connection(path: Path, *, create: bool, clock: Clock) -> apsw.Connection:
    """Open a connection to a database of the current schema.

    Raises DatabaseUnusable (see `open_store` in shared/storage); a refused file is not changed.
    """
    _check_sqlite_version()
    if create:
        _create_folder(path.parent)
    elif not path.exists():
        raise DatabaseUnusable(
            f"there is no database at {path}; start Orpheus once (python -m supervisor) to make it"
        )
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    old_umask = os.umask(0o077)
    try:
        with Translated():
            connection = apsw.Connection(str(path), flags=flags)
    finally:
        os.umask(old_umask)
    try:
        with Translated():
            connection.set_busy_handler(BusyHandler())
            _prepare(connection, path, create=create, clock=clock)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_sqlite_version() -> None:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < _OLDEST_SAFE_SQLITE:
        raise DatabaseUnusable(
            f"SQLite {apsw.sqlite_lib_version()} can corrupt a database that several processes "
            f"write (WAL-reset bug); install apsw 3.53 or newer"
        )


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusable(f"cannot create the folder {folder}: {error.strerror}") from error
    if folder.is_symlink() or folder.stat().st_mode & 0o002:
        raise DatabaseUnusable(
            f"{folder} is a symbolic link or writable by everyone; refusing to keep jobs there"
        )


def _prepare(connection: apsw.Connection, path: Path, *, create: bool, clock: Clock) -> None:
    migrations = load_migrations("orpheus.shared.storage.sqlite.migrations")
    newest = migrations[-1].version
    application, version, has_tables = _header(connection)
    if application != _APPLICATION_ID and (application or has_tables):
        raise DatabaseUnusable(f"{path} is a database of another program; it was left as it is")
    if version > newest:
        raise DatabaseUnusable(
            f"{path} has schema {version}, newer than this Orpheus knows ({newest}); "
            "it was left as it is: update Orpheus"
        )
    if version < newest and not create:
        raise DatabaseUnusable(
            f"{path} has schema {version}, this Orpheus needs {newest}; "
            "start Orpheus once to update it"
        )
    if version == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    for migration in migrations[version:]:
        _migrate(connection, migration, clock)


def _migrate(connection: apsw.Connection, migration: Migration, clock: Clock) -> None:
    """Run one migration in a transaction, unless another process was first."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _header(connection)[1] < migration.version:
            connection.execute(migration.sql)
            connection.execute(
                "INSERT INTO schema_migrations VALUES (?, ?, ?)",
                (migration.version, migration.name, clock.wall_ms()),
            )
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {migration.version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _header(connection: apsw.Connection) -> tuple[int, int, bool]:
    """Return the application id, the schema version, and whether there is any table.

    One statement reads them at one moment: another process may be creating the schema right now.
    """
    sql = """SELECT application_id, user_version, EXISTS (SELECT 1 FROM sqlite_schema)
        FROM pragma_application_id, pragma_user_version"""
    [row] = connection.execute(sql).fetchall()
    application, version, has_tables = cast("tuple[int, int, int]", row)
    return application, version, bool(has_tables)
