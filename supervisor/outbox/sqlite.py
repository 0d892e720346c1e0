"""The outbox of an application whose database is SQLite.

Reading takes no lock that outlives the statement, and between two looks none at all. Rows are
deleted in one short transaction, which is on disk when it ends, whatever the application does with
its own: if the deletion could be undone by power loss, the rows would become jobs again.
"""

import contextlib
import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

from orpheus.shared.logs import get_logger
from orpheus.shared.moments import rfc3339
from orpheus.shared.outbox.table import quoted
from orpheus.shared.process.files import run_as_owner, sync_folder
from orpheus.shared.storage import RowId
from orpheus.supervisor.outbox.rows import (
    MOST_BYTES,
    MOST_ROWS,
    OPTIONS,
    NotHere,
    OutboxTrouble,
    RefusedRow,
    Row,
    digest_of,
)

_BUSY_MS = 1000
log = get_logger()

_HOW_TO_MAKE_IT = "`orpheus outbox schema sqlite` prints the table that it needs"
_ID_TYPES = ("integer", "text")
"""Only an id of these types finds its row again. Any other row would never be deleted, and would
become a job again and again."""
_NO_SUCH = ("no such table", "no such column")
_BUSY = (apsw.BusyError, apsw.LockedError)


class SqliteSource:
    """A connection to the application's file. Used by one thread."""

    def __init__(self, path: Path, table: str, max_payload_bytes: int) -> None:
        """Open the file. Raises OutboxTrouble; NotHere if it is missing or drained by another."""
        self._path = path
        self._table = table
        self._max_payload_bytes = max_payload_bytes
        self._name = quoted(table)
        self._seen: int | None = None
        """The data_version at which the outbox was last found empty."""
        self._file = _identity(path)
        self.digest = ""
        with self._translated():
            self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        self._lock_fd = -1
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        connection = self._connection
        with self._translated():
            connection.set_busy_timeout(_BUSY_MS)
            # The file may be replaced while it is open. Without this, closing the old one would
            # delete the -wal file of the new one.
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.execute("PRAGMA synchronous = EXTRA")
            [(encoding,)] = connection.execute("PRAGMA encoding").fetchall()
            found = connection.execute(
                "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE",
                (self._table,),
            ).fetchall()
        if encoding != "UTF-8":
            raise OutboxTrouble(f"{self._path} is in {encoding}; an outbox must be in UTF-8")
        if not found:
            raise OutboxTrouble(f"{self._path} has no table {self._name}; {_HOW_TO_MAKE_IT}")
        self._lock()
        self._warn_of_ids(str(found[0][0]))

    def _warn_of_ids(self, table_sql: str) -> None:
        """Log if SQLite may give a new row the id of a deleted row that is still remembered."""
        with self._translated():
            columns = self._connection.execute(
                "SELECT type FROM pragma_table_info(?) WHERE name = 'id' AND pk = 1", (self._table,)
            ).fetchall()
        is_rowid = [str(column[0]).upper() for column in columns] == ["INTEGER"]
        if is_rowid and "AUTOINCREMENT" not in re.sub("--.*", "", table_sql).upper():
            log.warning(
                "outbox_ids_used_again",
                path=str(self._path),
                table=self._table,
                note=f"its id has no AUTOINCREMENT, so rows may be lost; {_HOW_TO_MAKE_IT}",
            )

    def _lock(self) -> None:
        """Lock out other drainers of this table. A lock of a file cannot be left behind."""
        lock = Path(f"{self._path.resolve()}-{self._table.lower()}-lock")
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._lock_fd = os.open(lock, flags, 0o600)
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            name = _name_in(self._lock_fd, lock.parent)
            path = os.fsencode(self._path.resolve()).hex()
            self.digest = digest_of("sqlite", path, self._table.lower(), name)
        except BlockingIOError:
            raise NotHere(f"another Orpheus drains {self._name} of {self._path}") from None
        except OSError as error:
            why = f"{error.strerror}{run_as_owner(self._path)}"
            raise OutboxTrouble(f"{lock} cannot be locked: {why}") from None

    def may_have_rows(self) -> bool:
        """Return whether anybody has committed since the outbox was found empty (6 us a call)."""
        if _identity(self._path) != self._file:
            raise OutboxTrouble(f"{self._path} was replaced; the new file is opened next")
        return self._data_version() != self._seen

    def _data_version(self) -> int:
        with self._translated():
            [(version,)] = self._connection.execute("PRAGMA data_version").fetchall()
        return int(str(version))

    @contextlib.contextmanager
    def batch(self, held_keys: Collection[str]) -> Iterator[Sequence[Row]]:
        """Read the rows with the lowest ids but without these keys, up to the bounds of a batch."""
        version = self._data_version()
        rows = self._read(held_keys)
        if not rows and not held_keys:
            self._seen = version
        yield rows

    def _read(self, held_keys: Collection[str]) -> list[Row]:
        size = "octet_length(payload)"
        payload = f"iif({size} <= ?1, {_as_bytes('payload')}, NULL)"
        options = ", ".join(map(_as_bytes, OPTIONS))
        sql = f"""
            SELECT typeof(id), {_as_bytes("id")}, {_as_bytes("type")}, {payload},
                coalesce({size}, 0), {options}
            FROM {self._name} WHERE refused_at IS NULL
                AND (unique_key IS NULL OR unique_key NOT IN (SELECT value FROM json_each(?3)))
            ORDER BY id LIMIT ?2"""
        values = (self._max_payload_bytes, MOST_ROWS, json.dumps(list(held_keys)))
        rows: list[Row] = []
        read_bytes = 0
        with self._translated():
            cursor = self._connection.execute(sql, values)
            for id_type, *columns in cursor:
                rows.append(Row(*map(_as_text, columns)))
                if id_type not in _ID_TYPES or isinstance(rows[-1].id, bytes):
                    raise OutboxTrouble(
                        f"{self._path}: a row of {self._name} has an id of type {id_type}; "
                        f"make the ids integers or text in UTF-8: {_HOW_TO_MAKE_IT}"
                    )
                read_bytes += rows[-1].payload_bytes
                if read_bytes > MOST_BYTES:
                    cursor.close()
                    break
        return rows

    def finish(self, accepted: Sequence[RowId], refused: Sequence[RefusedRow]) -> None:
        """Delete the rows that are jobs, and mark those that were refused."""
        with self._transaction() as connection:
            self._delete(connection, accepted)
            mark = f"UPDATE {self._name} SET refused_at = ?, refused_reason = ? WHERE id = ?"
            now = rfc3339(time.time_ns() // 1_000_000)
            connection.executemany(mark, [(now, row.reason, row.id) for row in refused])

    def delete(self, ids: Sequence[RowId]) -> None:
        """Delete rows by their ids."""
        with self._transaction() as connection:
            self._delete(connection, ids)

    def _delete(self, connection: apsw.Connection, ids: Sequence[RowId]) -> None:
        """Delete rows and check that they are gone: one kept by a trigger would be a job again."""
        some = f"FROM {self._name} WHERE id IN (SELECT value FROM json_each(?))"
        values = (json.dumps(list(ids)),)
        connection.execute(f"DELETE {some}", values)
        if connection.execute(f"SELECT 1 {some} LIMIT 1", values).fetchall():
            raise OutboxTrouble(f"{self._path}: rows of {self._name} cannot be deleted")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[apsw.Connection]:
        connection = self._connection
        with self._translated():
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(apsw.Error):
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connection and let go of the lock."""
        with contextlib.suppress(apsw.Error):
            self._connection.close()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except apsw.Error as error:
            raise OutboxTrouble(self._reason(error)) from error

    def _reason(self, error: apsw.Error) -> str:
        text = str(error)
        if isinstance(error, _BUSY):
            return f"{self._path} is locked by another process"
        if isinstance(error, apsw.SQLError) and text.startswith(_NO_SUCH):
            return f"{self._path}: {text}; {_HOW_TO_MAKE_IT}"
        if isinstance(error, apsw.FullError):
            return f"there is no space left on the device of {self._path}"
        if isinstance(error, (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError)):
            return f"{self._path} cannot be written: {text}{run_as_owner(self._path)}"
        return f"{self._path}: {text}"


def _name_in(lock_fd: int, folder: Path) -> str:
    """Return the random name that stands in a lock file; write one into a file that is new.

    It tells files apart that have the same path on several hosts. It is on disk before any batch is
    remembered for it.
    """
    name = os.pread(lock_fd, 100, 0).decode(errors="replace")
    if not name:
        name = secrets.token_hex(8)
        os.pwrite(lock_fd, name.encode(), 0)
        os.fsync(lock_fd)
        sync_folder(folder)
    return name


def _as_text(value: Any) -> Any:
    """Return bytes as text, if they are UTF-8."""
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value


def _as_bytes(column: str) -> str:
    """Return SQL that gives a column's text as bytes: apsw raises if it is damaged."""
    return f"iif(typeof({column}) = 'text', CAST({column} AS BLOB), {column})"


def _identity(path: Path) -> tuple[int, int]:
    """Return the device and inode: another file in its place has others. Raises OutboxTrouble."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise NotHere(f"{path} cannot be opened: {error.strerror}") from None
    except OSError as error:
        raise OutboxTrouble(f"{path} cannot be opened: {error.strerror}") from None
    return status.st_dev, status.st_ino
