"""Writes a job or a signal into an outbox, as a row of the application's own transaction.

The connection is whatever the application has: of a DB-API driver (sqlite3, psycopg, apsw, Django's
`connection`), or a Connection or Session of SQLAlchemy. None of them is imported here.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from inspect import isawaitable
from typing import Any, Unpack

from orpheus.shared.application_connections import is_of_sqlalchemy, is_session, unwrapped
from orpheus.shared.domain.steps import new_signal
from orpheus.shared.errors import OrpheusError
from orpheus.shared.job_types.request import JobRequest, Options, request_of
from orpheus.shared.outbox.table import DEFAULT_TABLE, SIGNAL, quoted

_COLUMNS = ("queue", "priority", "run_at", "unique_key", "concurrency_key", "tags")
_NOT_CARRIED = (
    "max_retries", "timeout", "depends_on", "on_dependency_failure", "expires", "unique_for",
    "on_duplicate", "retention", "ref",
)  # fmt: skip
_PARAMSTYLES = {"apsw": "qmark", "django": "format"}
"""The paramstyle of libraries that name none, or whose connections differ from their driver's."""
_PLACEHOLDERS = {
    "qmark": "?",
    "format": "%s",
    "numeric": ":{number}",
    "numeric_dollar": "${number}",
    "named": ":{name}",
    "pyformat": "%({name})s",
}
"""Paramstyle -> the placeholder of the value with that number (from 1) and name."""
_BY_NAME = ("named", "pyformat")
_OF_ASYNCPG = "numeric_dollar"
"""asyncpg accepts no text as the value of a timestamp column."""
_IN_SQLALCHEMY = "await its run_sync(outbox.add, …) with the other arguments"


def add(
    connection: Any,
    job: JobRequest | str,
    payload: Mapping[str, Any] | None = None,
    *,
    table: str = DEFAULT_TABLE,
    **options: Unpack[Options],
) -> None:
    """Write a job into the outbox; it is submitted if and when the application commits.

    `job` is what `.new(...)` returns, or the name of a job type, with its `payload`; `options` are
    those of `.with_options(...)`. Nothing is committed here. Raises TypeError for a connection that
    is unknown or asynchronous (see `insert`; of SQLAlchemy: `await connection.run_sync(outbox.add,
    job)`), and ValueError for a job that an outbox cannot carry.
    """
    _write(connection, _row_of(request_of(job, payload, options)), table)


def signal(
    connection: Any,
    name: str,
    key: str | int,
    payload: Any = None,
    *,
    table: str = DEFAULT_TABLE,
) -> None:
    """Write a signal into the outbox; it is sent if and when the application commits.

    The first payload of a name and a key stays. Nothing is committed here. Raises TypeError as
    `add` does, and ValueError for a signal that is not valid.
    """
    _write(connection, _signal_row(name, key, payload), table)


def _write(connection: Any, row: dict[str, Any], table: str) -> None:
    if is_session(connection):
        connection = unwrapped(connection)
        _refuse_async(connection, _IN_SQLALCHEMY)
    if is_of_sqlalchemy(connection):
        statement = _statement(row, connection.dialect.paramstyle, table)
        _refuse_async(connection.exec_driver_sql(*statement), _IN_SQLALCHEMY)
        return
    statement = _statement(row, _paramstyle_of(connection), table)
    cursor = connection.cursor()
    _refuse_async(cursor)
    try:
        _refuse_async(cursor.execute(*statement))
    finally:
        cursor.close()


def insert(
    job: JobRequest | str,
    payload: Mapping[str, Any] | None = None,
    *,
    paramstyle: str,
    table: str = DEFAULT_TABLE,
    **options: Unpack[Options],
) -> tuple[str, Any]:
    """Return the INSERT that writes a job, and its values, for a connection that `add` cannot use.

    `paramstyle` is one of those of the DB-API, or `numeric_dollar` (asyncpg): the values are a
    tuple, or a dictionary for `named` and `pyformat`. Raises ValueError as `add` does.
    """
    return _statement(_row_of(request_of(job, payload, options)), paramstyle, table)


def insert_signal(
    name: str,
    key: str | int,
    payload: Any = None,
    *,
    paramstyle: str,
    table: str = DEFAULT_TABLE,
) -> tuple[str, Any]:
    """Return the INSERT that writes a signal, and its values, as `insert` does."""
    return _statement(_signal_row(name, key, payload), paramstyle, table)


def _statement(row: dict[str, Any], paramstyle: str, table: str) -> tuple[str, Any]:
    if paramstyle not in _PLACEHOLDERS:
        raise ValueError(f"paramstyle: {paramstyle!r} is none of {', '.join(_PLACEHOLDERS)}")
    if "run_at" in row and paramstyle != _OF_ASYNCPG:
        row["run_at"] = row["run_at"].isoformat()
    placeholder = _PLACEHOLDERS[paramstyle]
    values = ", ".join(
        placeholder.format(number=n, name=name) for n, name in enumerate(row, start=1)
    )
    sql = f"INSERT INTO {quoted(table)} ({', '.join(row)}) VALUES ({values})"  # noqa: S608 - quoted
    return sql, row if paramstyle in _BY_NAME else tuple(row.values())


def _row_of(job: JobRequest) -> dict[str, Any]:
    """Return the columns that are not NULL. Raises ValueError for an option without a column."""
    for name in _NOT_CARRIED:
        if getattr(job, name) not in (None, ()):
            raise ValueError(f"{job.type}: {name} has no column in an outbox")
    row: dict[str, Any] = {"type": job.type, "payload": _json(job.type, dict(job.payload))}
    values = {name: getattr(job, name) for name in _COLUMNS}
    run_at = job.run_at
    if job.delay is not None:
        run_at = datetime.now(UTC) + timedelta(seconds=job.delay)
    values["run_at"] = None if run_at is None else run_at.astimezone(UTC)
    values["tags"] = json.dumps(job.tags) if job.tags else None
    return row | {name: value for name, value in values.items() if value is not None}


def _signal_row(name: str, key: str | int, payload: Any) -> dict[str, Any]:
    """Return the columns of a signal. Raises ValueError for one that is not valid."""
    try:
        new = new_signal(name, key, _json(name, payload))
    except OrpheusError as error:
        raise ValueError(f"signal {name!r}: {error}") from None
    return {"type": f"{SIGNAL}{new.name}", "payload": new.payload, "unique_key": new.key}


def _json(what: str, payload: Any) -> str:
    try:
        return json.dumps(payload, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: payload is not JSON: {error}") from None


def _paramstyle_of(connection: Any) -> str:
    """Return the paramstyle of the connection's driver. Raises TypeError if it is not known."""
    for kind in type(connection).__mro__:
        name = kind.__module__
        while name:
            found = _PARAMSTYLES.get(name) or getattr(sys.modules.get(name), "paramstyle", None)
            if isinstance(found, str):
                return found
            name = name.rpartition(".")[0]
    raise TypeError(
        f"{type(connection).__name__} is no connection of a DB-API driver or of SQLAlchemy; "
        "outbox.insert() returns the statement for any other"
    )


def _refuse_async(
    answer: object, instead: str = "await it with what outbox.insert() returns"
) -> None:
    if isawaitable(answer):
        if hasattr(answer, "close"):
            answer.close()  # a coroutine that was never awaited would warn
        raise TypeError(f"the connection is asynchronous: {instead}")
