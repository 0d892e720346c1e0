"""What a move of a whole database needs of each of its two ends (shared/operations/moving.py).

Rows are read in the order of their keys and inserted in it, so what has arrived is always the first
part of a table: the last key that is there says where to go on, and nothing else need be kept.

Before the first row is read, the database is closed: triggers refuse every change, also by programs
that have had it open for days. So rows that were copied before a kill are still as they were, and a
job that somebody submits meanwhile is refused, not accepted and left behind.

Two processes may move at once, from two hosts. What is noted names who may go on, and each step
looks whether it is still noted, in its transaction: no lock is held that a pooler or a kill would
lose.
"""

import json
from collections.abc import Iterator, Sequence

import msgspec

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.storage.data import MoveMark, MoveRefused, MoveState
from orpheus.shared.storage.database import Database, Row, Value

_MOST_ROWS = 1_000
_MOST_BYTES = 4 * 2**20
"""Of one batch, so that neither end holds a lock for long, whatever the size of rows."""
_TAKEN_OVER = (
    "another `orpheus db move` or `orpheus db reopen` has come in between, and has one of the two "
    "databases now: let it end, then look with `orpheus db move` again"
)


class Table(msgspec.Struct, frozen=True):
    """A table that is moved. `key` orders it. `sums`: rows of one key are added up to one row.

    Of `largest`, that row has the largest value.
    """

    name: str
    key: tuple[str, ...]
    sums: tuple[str, ...] = ()
    largest: tuple[str, ...] = ()

    def read(self, column: str) -> str:
        """Return what is read of a column, by key."""
        if column in self.sums:
            return f"sum({column})"
        return f"max({column})" if column in self.largest else column


TABLES = (
    Table("jobs", ("id",)),
    Table("large_payloads", ("job_id",)),
    Table("job_tags", ("tag", "job_id")),
    Table("job_dependencies", ("job_id", "depends_on")),
    Table("cascades", ("job_id",)),
    Table("ended_attempts", ("job_id", "number")),
    Table("steps", ("job_id", "name")),
    Table("signals", ("name", "key")),
    Table("job_logs", ("id",)),
    Table("events", ("seq",)),
    Table("job_counts", ("queue", "status"), sums=("n",)),
    Table("finished_per_minute", ("minute", "queue", "type", "status"), sums=("n", "ran_ms")),
    Table(
        "type_totals",
        ("minute", "queue", "type", "measure", "outcome", "bucket"),
        sums=("n", "total"),
        largest=("most",),
    ),
    Table("past", ("step_s", "at_s")),
    Table("acknowledgements", ("code", "subject")),
    Table("queues", ("name",)),
    Table("key_rates", ("queue", "key")),
    Table("idempotency_keys", ("key",)),
    Table("audit", ("id",)),
    Table("timeline", ("id",)),
    Table("audit_jobs", ("job_id", "audit_id")),
    Table("schedules", ("name",)),
    Table("outboxes", ("name", "place")),
    Table("alerts", ("name",)),
    Table("job_types", ("build", "name")),
    Table("hidden_fields", ("type",)),
    Table("host_builds", ("host",)),
    Table("awaited_versions", ("type", "versions")),
    Table("quarantines", ("type",)),
)
"""In this order: what names a row of another table comes after it."""


class Moves:
    """One end of a move."""

    tables = TABLES

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("moves.sql")
        self._columns: dict[str, list[str]] = {}
        """By table, once they were asked for."""
        self.says = ""
        """Where the database was moved to, as it was opened to be looked at; empty: it was not."""

    def schema_version(self) -> int:
        """Return the version of the schema, which may be newer than this program."""
        version: int = self._database.value(self._sql["schema-version"])
        return version

    # Who may use the database

    def mark(self) -> MoveMark | None:
        """Return what is noted about a move of this database; None: nothing."""
        row = self._database.one(self._sql["mark"])
        return None if row is None else MoveMark(MoveState(row[0]), *row[1:])

    def replace_mark(self, before: str | None, now: MoveMark) -> None:
        """Note this instead of what was noted of the move `before`, or of none.

        Raises MoveRefused if that is noted no longer: another process has come in between.
        """
        with self._database.write(durable=True):
            name = "put-first-mark" if before is None else "replace-mark"
            values = (now.state, now.move, now.says, *([] if before is None else [before]))
            if not self._database.run(self._sql[name], *values):
                raise MoveRefused(_TAKEN_OVER)

    def _hold(self, move: str) -> None:
        """Raise MoveRefused unless it is still noted; in this transaction, nothing else will be."""
        if not self._database.one(self._sql["hold-mark"], move):
            raise MoveRefused(_TAKEN_OVER)

    def refuse_if_moved(self, *, starts: bool) -> None:
        """Raise DatabaseUnusable if this database may not be used now.

        `starts`: a program wants to work with it. One that is closed may still be looked at.
        """
        mark = self.mark()
        self.says = "" if mark is None else mark.says
        if mark is not None and (starts or mark.state is MoveState.ARRIVING):
            raise DatabaseUnusable(mark.says)

    def reserve(self, mark: MoveMark) -> None:
        """Keep everything else from using this database. Its events begin their own history.

        Raises MoveRefused if it is not free, or no longer empty.
        """
        with self._database.write(durable=True):
            self.replace_mark(None, mark)
            if self.first_filled() is not None:
                raise MoveRefused(_TAKEN_OVER)
            self._database.run(self._sql["new-epoch"])

    def close(self, before: str | None, mark: MoveMark) -> None:
        """Refuse changes to this database, except to what belongs to running processes.

        Every change raises DatabaseUnusable with what `mark` says. See `replace_mark`.
        """
        with self._database.write(durable=True):
            self.replace_mark(before, mark)
            for table in self._tables_to_close():
                self._database.run(self._sql["close-table"].replace("{table}", table))

    def reopen(self, move: str | None = None) -> None:
        """Let it be changed again. Its events belong to another history from here on.

        `move`: only while this one is noted; see `replace_mark`.
        """
        with self._database.write(durable=True):
            if move is not None:
                self._hold(move)
            for table in self._tables_to_close():
                self._database.run(self._sql["open-table"].replace("{table}", table))
            self._database.run(self._sql["delete-mark"])
            self._database.run(self._sql["new-epoch"])

    def release(self, move: str) -> None:
        """Let everybody use a database to which all has been copied; see `replace_mark`."""
        with self._database.write(durable=True):
            self._hold(move)
            self._database.run(self._sql["delete-mark"])

    def _tables_to_close(self) -> list[str]:
        names = json.dumps([table.name for table in TABLES])
        return [row[0] for row in self._database.all(self._sql["tables-to-close"], names)]

    # Rows

    def first_filled(self) -> str | None:
        """Return the name of a table that has rows; None: there is none."""
        for table in TABLES:
            if self._database.one(self._sql["any-row"].replace("{table}", table.name)):
                return table.name
        return None

    def count(self, table: Table) -> int:
        """Return how many rows a table has, as `batches` counts them."""
        self._database.number_events(all_of_them=True)
        return int(self._database.value(self._query("count-rows", table)) or 0)

    def batches(self, table: Table, after: Row | None) -> Iterator[list[Row]]:
        """Yield the rows of a table after a key, in the order of their keys, in batches."""
        columns = self._columns_of(table)
        read = ", ".join(table.read(name) for name in columns)
        group = f"GROUP BY {', '.join(table.key)}" if table.sums else ""
        key_at = [columns.index(name) for name in table.key]
        beyond = f"({', '.join(table.key)}) > ({', '.join('?' * len(table.key))})"
        while True:
            condition = "true" if after is None else beyond
            sql = self._query("rows", table, columns=read, condition=condition, group=group)
            if table.name == "events":
                sql, after = self._query("rows-of-events", table, columns=read), after or (0,)
            rows, _ = self._database.within(_MOST_BYTES, sql, *(after or ()), _MOST_ROWS)
            if not rows:
                return
            yield rows
            after = tuple(rows[-1][at] for at in key_at)

    def last_key(self, table: Table) -> Row | None:
        """Return the key of the last row of a table; None: it has none."""
        descending = ", ".join(f"{name} DESC" for name in table.key)
        return self._database.one(self._query("last-key", table, descending=descending))

    def put(self, move: str, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows, as `batches` gave them, in one transaction; see `replace_mark`."""
        with self._database.write(durable=False):
            self._hold(move)
            self._database.load(table.name, self._columns_of(table), rows)

    def _columns_of(self, table: Table) -> list[str]:
        """Return the names of the columns, in an order that is the same for every backend."""
        if table.name not in self._columns:
            rows = self._database.all(self._sql["columns"], table.name)
            self._columns[table.name] = sorted(row[0] for row in rows)
        return self._columns[table.name]

    def _query(self, name: str, table: Table, **parts: str) -> str:
        """Return a query of moves.sql for a table."""
        return self._sql[name].format(table=table.name, key=", ".join(table.key), **parts)

    # Numbers

    def counters(self) -> dict[str, int]:
        """Return the last id, token and event number that was given, by table."""
        return dict(self._database.all(self._sql["counters"]))

    def set_counters(self, move: str, last: dict[str, int]) -> None:
        """Let the next ids, tokens and event numbers be after these; see `replace_mark`."""
        rows: list[dict[str, Value]] = [{"name": name, "last": n} for name, n in last.items()]
        with self._database.write(durable=True):
            self._hold(move)
            self._database.run_many(self._sql["set-counter"], rows)
