"""Checks whether a database has our schema, `orpheus`, and brings that up to date."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import psycopg

from orpheus.shared.errors import DatabaseAway, DatabaseUnusable
from orpheus.shared.storage.migrate import Migration, Schema, load_migrations, pending

Ask = Callable[[str], Sequence[Any]]

_OLDEST_SERVER = 14
_LOCK = 0x4F525048_00000001
"""The number of the advisory lock that a process holds while it changes the schema."""
_STATE = """SELECT current_setting('server_version_num')::int / 10000,
    current_setting('server_encoding'), pg_is_in_recovery(),
    to_regnamespace('orpheus') IS NOT NULL, to_regclass('orpheus.schema_migrations') IS NOT NULL,
    EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('orpheus')::oid)"""
READ_FLOOR = (
    "SELECT coalesce(max(coalesce(readable_from, version)), 0) FROM orpheus.schema_migrations"
)
_READ_SCHEMA = """SELECT coalesce(max(version), 0),
    coalesce(max(coalesce(readable_from, version)), 0) FROM orpheus.schema_migrations"""
_RECORD = b"""INSERT INTO orpheus.schema_migrations (version, name, readable_from, applied_at_ms)
    VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"""


def check_schema(connection: psycopg.Connection, name: str, *, create: bool) -> int:
    """Let the database have the newest schema; without `create`, only look. `name` is for messages.

    Return the version of the newest.

    Raises DatabaseAway for a standby, which may soon be a primary; DatabaseUnusable for a server
    that we cannot use, a schema of another program, a newer or, without `create`, an older one or
    none; it was not changed then.
    """
    ask = partial(_row, connection)
    if not create:
        return look_at_schema(ask, name, "start Orpheus once to make it")
    migrations = _migrations()
    for migration in pending(name, _schema(ask, name), migrations, may_migrate=True):
        _migrate(connection, migration)
    return migrations[-1].version


def look_at_schema(ask: Ask, name: str, advice: str) -> int:
    """Return the version of the newest schema, which the database must have.

    `ask` returns the row of a query; `name` is for messages, in which `advice` says what to do
    where there is no schema. Raises DatabaseUnusable for another one.
    """
    migrations = _migrations()
    schema = _schema(ask, name)
    if not schema.version:
        raise DatabaseUnusable(f"there is no schema `orpheus` in {name}; {advice}")
    pending(name, schema, migrations, may_migrate=False)
    return migrations[-1].version


def _migrations() -> Sequence[Migration]:
    return load_migrations("orpheus.shared.storage.postgres.migrations")


def _schema(ask: Ask, name: str) -> Schema:
    """Return the schema, version 0 if there is none. Raises as `check_schema`."""
    server, encoding, is_standby, _, is_ours, has_something = ask(_STATE)
    if server < _OLDEST_SERVER:
        raise DatabaseUnusable(f"{name} is PostgreSQL {server}; Orpheus needs {_OLDEST_SERVER}")
    if encoding != "UTF8":
        raise DatabaseUnusable(f"{name} has the encoding {encoding}; make one with UTF8")
    if is_standby:
        raise DatabaseAway(f"{name} is a standby, and nothing can be written there")
    if has_something and not is_ours:
        raise DatabaseUnusable(
            f"the schema `orpheus` in {name} is of another program; it was left as it is"
        )
    return Schema(*map(int, ask(_READ_SCHEMA))) if is_ours else Schema(0, 0)


def _migrate(connection: psycopg.Connection, migration: Migration) -> None:
    """Run one migration in a transaction, unless another process was first."""
    with connection.transaction():
        connection.execute(b"SET LOCAL lock_timeout = '9s'")
        connection.execute(b"SELECT pg_advisory_xact_lock($1)", (_LOCK,))
        _, _, _, has_schema, is_ours, _ = _row(connection, _STATE)
        if is_ours and _row(connection, _READ_SCHEMA)[0] >= migration.version:
            return
        if not has_schema:  # a role that may not create one may still own one
            connection.execute(b"CREATE SCHEMA orpheus")
        connection.execute(cast("Any", migration.sql.encode()))
        connection.execute(_RECORD, (migration.version, migration.name, migration.readable_from))


def _row(connection: psycopg.Connection, sql: str) -> Sequence[Any]:
    row = connection.execute(cast("Any", sql.encode()), prepare=False).fetchone()
    assert row is not None
    return row
