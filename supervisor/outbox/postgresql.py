"""The outbox of an application whose database is PostgreSQL.

The rows of a batch stay locked from the moment they are read until they are deleted, in one
transaction. Another drainer skips them, and the application can go on writing. No state is kept in
the session, so a pooler may be in between.

All columns but the id are read as text: there are values that Python has no type for, such as
'infinity', and a row that has one must stop no other.
"""

import contextlib
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from orpheus.shared.outbox.table import quoted
from orpheus.shared.storage import RowId
from orpheus.supervisor.outbox.rows import (
    MOST_BYTES,
    MOST_ROWS,
    OPTIONS,
    OutboxTrouble,
    RefusedRow,
    Row,
    digest_of,
)

_ROWS_AT_ONCE = 20
_HOW_TO_MAKE_IT = "`orpheus outbox schema postgresql` prints the table that it needs"
_IDENTITY = ("service", "host", "hostaddr", "port", "dbname", "options")
"""The parts of a URL that say which database it is; the others say who connects, and how."""
_DEFAULTS = {
    "application_name": "orpheus",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
"""A server that has vanished must not keep the drainer waiting for a day."""
_SETTINGS = {
    "synchronous_commit": "on",  # if power loss undid a deletion, the rows would become jobs again
    "lock_timeout": "1s",
    "datestyle": "ISO",
    "timezone": "UTC",
    # A drainer that stands still, or whose host is gone, keeps the rows of its batch locked.
    "idle_in_transaction_session_timeout": "15s",
    "tcp_keepalives_idle": "5s",
    "tcp_keepalives_interval": "2s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10s",
}
"""For each transaction, as far as the server knows them."""
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_BROKEN_TABLE = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)


class PostgresqlSource:
    """A connection to the application's server. Used by one thread."""

    def __init__(self, url: str, table: str, max_payload_bytes: int) -> None:
        """Connect. Raises OutboxTrouble without the password in its text."""
        self._name = quoted(table)
        self._max_payload_bytes = max_payload_bytes
        try:
            parameters = {**_DEFAULTS, **conninfo_to_dict(url), "client_encoding": "utf8"}
            self.digest = table_digest(url, table)
        except psycopg.Error:  # its text quotes the URL
            raise OutboxTrouble("PostgreSQL does not understand the URL") from None
        self._password = str(parameters.get("password") or "")
        self._where = f"{parameters.get('host', 'localhost')}/{parameters.get('dbname', '')}"
        with self._translated():
            self._connection = psycopg.connect(
                **cast("dict[str, Any]", parameters), autocommit=True, prepare_threshold=None
            )

    def may_have_rows(self) -> bool:
        """Return whether there is any row that was not refused."""
        with self._translated():
            sql = f"SELECT 1 FROM {self._name} WHERE refused_at IS NULL LIMIT 1"
            return self._connection.execute(_sql(sql)).fetchone() is not None

    @contextlib.contextmanager
    def batch(self, held_keys: Collection[str]) -> Iterator[Sequence[Row]]:
        """Read and lock the rows with the lowest ids but without these keys, up to the bounds."""
        with self._translated():
            self._begin()
            try:
                yield self._read(held_keys)
            finally:
                with contextlib.suppress(psycopg.Error):
                    if self._connection.info.transaction_status is not TransactionStatus.IDLE:
                        self._connection.execute("ROLLBACK")

    def _begin(self) -> None:
        pairs = ", ".join(f"('{name}', '{text}')" for name, text in _SETTINGS.items())
        self._connection.execute(
            "BEGIN; SELECT set_config(name, text, true)"
            f"FROM (VALUES {pairs}) AS wanted (name, text)"
            "WHERE current_setting(name, true) IS NOT NULL"
        )

    def _read(self, held_keys: Collection[str]) -> list[Row]:
        """Fetch a few rows at a time: five hundred large ones would not fit into memory."""
        options = ", ".join(f"{name}::text" for name in OPTIONS)
        sql = f"""
            SELECT id, type::text,
                CASE WHEN octet_length(payload::text) <= %s THEN payload::text END,
                coalesce(octet_length(payload::text), 0), {options}
            FROM {self._name} WHERE refused_at IS NULL
                AND (unique_key IS NULL OR unique_key::text <> ALL(%s::text[]))
            ORDER BY id LIMIT %s
            FOR UPDATE SKIP LOCKED"""
        rows: list[Row] = []
        with self._connection.cursor(name="outbox") as cursor:
            cursor.execute(_sql(sql), (self._max_payload_bytes, _array(held_keys), MOST_ROWS))
            while found := cursor.fetchmany(_ROWS_AT_ONCE):
                rows += (Row(*values) for values in found)
                if sum(row.payload_bytes for row in rows) > MOST_BYTES:
                    break
        return [row._replace(id=self._id_of(row), priority=_integer(row.priority)) for row in rows]

    def _id_of(self, row: Row) -> RowId:
        """Return the id. Raises OutboxTrouble if its text could not find the row again."""
        found: object = row.id
        if type(found) not in (int, str, UUID):
            raise OutboxTrouble(
                f"{self._where}: a row of {self._name} has an id of type {type(found).__name__}; "
                f"make the ids integers, text or uuid: {_HOW_TO_MAKE_IT}"
            )
        return found if isinstance(found, int) else str(found)

    def finish(self, accepted: Sequence[RowId], refused: Sequence[RefusedRow]) -> None:
        """Delete the rows that are jobs, mark those that were refused, and commit."""
        mark = f"UPDATE {self._name} SET refused_at = now(), refused_reason = %s WHERE id = %s"
        with self._translated():
            self._delete(accepted)
            for row in refused:
                # The encoding of the database may lack some characters.
                reason = row.reason.encode("ascii", "backslashreplace").decode()
                self._connection.execute(_sql(mark), (reason, str(row.id)))
            self._connection.execute("COMMIT")

    def delete(self, ids: Sequence[RowId]) -> None:
        """Delete rows by their ids."""
        with self._translated():
            self._begin()
            self._delete(ids)
            self._connection.execute("COMMIT")

    def _delete(self, ids: Sequence[RowId]) -> None:
        """Delete rows, and check that they are gone: one kept by a policy would be a job again."""
        some = f"FROM {self._name} WHERE id = ANY(%s)"
        values = (_array(ids),)
        self._connection.execute(_sql(f"DELETE {some}"), values)
        if self._connection.execute(_sql(f"SELECT 1 {some} LIMIT 1"), values).fetchone():
            raise OutboxTrouble(f"{self._where}: rows of {self._name} cannot be deleted")

    def close(self) -> None:
        """Close the connection; the rows of a batch that is under way are unlocked."""
        with contextlib.suppress(psycopg.Error):
            self._connection.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _BROKEN_TABLE as error:
            reason = f"{_first_line(error)}; {_HOW_TO_MAKE_IT}"
            raise OutboxTrouble(f"{self._where}: {reason}") from error
        except psycopg.errors.LockNotAvailable as error:
            raise OutboxTrouble(f"{self._where}: {self._name} is locked by another") from error
        except psycopg.Error as error:
            reason = _first_line(error)
            if self._password:  # libpq names none, but a proxy's message may
                reason = reason.replace(self._password, "…")
            raise OutboxTrouble(f"{self._where}: {reason}") from None


def _integer(text: Any) -> Any:
    """Return the text as an integer, or unchanged if it is not one."""
    return int(text) if isinstance(text, str) and _INTEGER.fullmatch(text) else text


def table_digest(url: str, table: str) -> str:
    """Return the digest of a table. The password has no part in it. Raises psycopg.Error."""
    said = conninfo_to_dict(url)
    if "dbname" not in said and "service" not in said:
        said["dbname"] = said.get("user")  # as PostgreSQL does
    return digest_of("postgresql", *(said.get(key) for key in _IDENTITY), table)


def _sql(text: str) -> bytes:
    """Return the statement as bytes: psycopg takes a str only if it is a literal in the code."""
    return text.encode()


def _array(values: Collection[RowId]) -> str:
    """Return an array as text, which PostgreSQL converts to the type that it needs."""
    quoted_values = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted_values) + "}"


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
