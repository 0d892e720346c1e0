"""A row is written through the application's own connection, whatever that is."""

import json
import sqlite3  # noqa: TID251 - what applications use
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from orpheus import outbox
from orpheus.shared.job_types.request import JobRequest
from orpheus.shared.outbox.table import create_table

OPTIONS = JobRequest(
    "mail",
    {"to": "a@example", "größe": 1},
    queue="mails",
    priority=-5,
    run_at=datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
    unique_key="one",
    concurrency_key="customer-7",
    tags=("a", "b"),
)
Connect = Callable[[Path], Any]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """An application's database with an outbox."""
    file = tmp_path / "shop.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(create_table("sqlite"))
    return file


def rows(database: Path) -> list[dict[str, Any]]:
    """What is committed, without the columns that are NULL."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute("SELECT * FROM orpheus_outbox ORDER BY id").fetchall()
    return [{key: row[key] for key in row.keys() if row[key] is not None} for row in found]  # noqa: SIM118


def engine(database: Path) -> sqlalchemy.Engine:
    """Without a pool: it would close its connections only when they are garbage."""
    return sqlalchemy.create_engine(f"sqlite:///{database}", poolclass=sqlalchemy.NullPool)


@pytest.mark.parametrize(
    "connect",
    [
        sqlite3.connect,
        type("Own", (sqlite3.Connection,), {"__module__": "shop.database"}),
        lambda file: engine(file).connect(),
        lambda file: Session(engine(file)),
        lambda file: scoped_session(sessionmaker(engine(file))),
    ],
    ids=["sqlite3", "a subclass", "SQLAlchemy connection", "session", "scoped session"],
)
def test_a_row_belongs_to_the_transaction_of_the_connection(
    connect: Connect, database: Path
) -> None:
    connection = connect(database)
    outbox.add(connection, "mail", {"to": "b@example"})
    connection.rollback()
    assert rows(database) == []
    outbox.add(connection, OPTIONS)
    assert rows(database) == []
    connection.commit()
    connection.close()
    [row] = rows(database)
    assert json.loads(row.pop("payload")) == {"to": "a@example", "größe": 1}
    assert json.loads(row.pop("tags")) == ["a", "b"]
    assert row == {
        "id": 1,
        "type": "mail",
        "queue": "mails",
        "priority": -5,
        "run_at": "2026-01-31T12:00:00+00:00",
        "unique_key": "one",
        "concurrency_key": "customer-7",
    }


def test_a_signal_is_a_row_of_the_transaction(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        outbox.signal(connection, "approved", 42, ["ü"])
    approved = {"type": "signal:approved", "payload": '["ü"]', "unique_key": "42"}
    assert rows(database) == [{"id": 1, **approved}]
    _, values = outbox.insert_signal("approved", "42", ["ü"], paramstyle="named")
    assert values == approved
    for name, key, payload in (("a b", "42", 1), ("a", "", 1), ("a", "42", float("nan"))):
        with pytest.raises(ValueError, match=r"a"):
            outbox.insert_signal(name, key, payload, paramstyle="qmark")


def test_apsw_writes_a_row_in_its_transaction(database: Path) -> None:
    connection = apsw.Connection(str(database))
    with suppress(ZeroDivisionError), connection:
        outbox.add(connection, "mail")
        raise ZeroDivisionError
    with connection:
        outbox.add(connection, "mail")
    connection.close()
    assert [(row["type"], row["payload"]) for row in rows(database)] == [("mail", "{}")]


@pytest.mark.parametrize(
    ("paramstyle", "sql", "values"),
    [
        ("qmark", "VALUES (?, ?, ?)", tuple),
        ("format", "VALUES (%s, %s, %s)", tuple),
        ("numeric", "VALUES (:1, :2, :3)", tuple),
        ("numeric_dollar", "VALUES ($1, $2, $3)", tuple),
        ("named", "VALUES (:type, :payload, :queue)", dict),
        ("pyformat", "VALUES (%(type)s, %(payload)s, %(queue)s)", dict),
    ],
)
def test_the_statement_is_written_for_each_kind_of_driver(
    paramstyle: str, sql: str, values: type
) -> None:
    statement, given = outbox.insert(
        "mail", {"n": 1}, paramstyle=paramstyle, table="shop.jobs", queue="q"
    )
    assert statement == f'INSERT INTO "shop"."jobs" (type, payload, queue) {sql}'
    assert type(given) is values
    in_order = tuple(given.values()) if isinstance(given, dict) else given
    assert in_order == ("mail", '{"n": 1}', "q")


@pytest.mark.parametrize(
    ("paramstyle", "run_at"),
    [
        ("numeric_dollar", OPTIONS.run_at),
        ("numeric", "2026-01-31T12:00:00+00:00"),
        ("format", "2026-01-31T12:00:00+00:00"),
    ],
)
def test_asyncpg_gets_the_time_as_it_takes_it_for_a_column_of_times(
    paramstyle: str, run_at: Any
) -> None:
    """It converts no text; SQLite has only text."""
    _, values = outbox.insert("mail", run_at=OPTIONS.run_at, paramstyle=paramstyle)
    assert values == ("mail", "{}", run_at)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("depends_on", (1,)),
        ("on_dependency_failure", "run"),
    ],
)
def test_an_option_without_a_column_is_refused_by_name(option: str, value: Any) -> None:
    options: dict[str, Any] = {option: value}
    with pytest.raises(ValueError, match=f"mail: {option} has no column"):
        outbox.insert("mail", paramstyle="qmark", **options)


def test_the_name_of_the_table_is_checked(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, pytest.raises(ValueError, match="table"):
        outbox.add(connection, "mail", table='x" (type) VALUES (1); --')


def test_an_asynchronous_connection_is_refused_with_what_to_use_instead() -> None:
    class Connection(sqlite3.Connection):
        async def cursor(self) -> None:  # type: ignore[override]
            """As aiosqlite has it."""

    with closing(Connection(":memory:")) as connection, pytest.raises(TypeError, match="insert"):
        outbox.add(connection, "mail")
    with pytest.raises(TypeError, match=r"await its run_sync\(outbox\.add, …\)"):
        outbox.add(AsyncSession(), "mail")
