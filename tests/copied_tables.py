"""The tables of PostgreSQL as SQLite has them: the invariants are written for those."""

from typing import Any, Self

import apsw
import psycopg

_TABLES = (
    *(
        "jobs",
        "large_payloads",
        "attempts",
        "events",
        "queues",
        "key_rates",
        "cascades",
        "job_logs",
        "job_dependencies",
        "steps",
        "signals",
        "schedules",
        "quarantines",
    ),
)
_COUNTS = "SELECT queue, status, sum(n)::bigint AS n FROM orpheus.job_counts GROUP BY queue, status"


class CopiedTables:
    """Those of one moment, with a number for each event."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        """`connection`: in autocommit mode."""
        self._copy = apsw.Connection(":memory:")
        connection.execute("SELECT orpheus.number_events()")
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for table in _TABLES:
                self._take(table, connection.execute(f"SELECT * FROM orpheus.{table}".encode()))
            self._take("job_counts", connection.execute(_COUNTS))

    def _take(self, table: str, found: Any) -> None:
        names = [column.name for column in found.description]
        self._copy.execute(f"CREATE TABLE {table} ({', '.join(names)})")
        marks = ", ".join("?" for _ in names)
        self._copy.executemany(f"INSERT INTO {table} VALUES ({marks})", found.fetchall())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._copy.close()

    def look(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._copy.execute(sql, values).fetchall()
