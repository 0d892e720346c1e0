"""Several hosts share Orpheus' database, and have the same outbox configured."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from msgspec.structs import replace

from benchmarks.servers import Server
from orpheus.shared.domain.handover import JobDefaults, StorageSettings
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.outbox.table import create_table
from orpheus.shared.storage import Store, TypeRow, open_store, open_store_in
from orpheus.supervisor.outbox import postgresql
from orpheus.supervisor.outbox.drainer import Drainer, OutboxSettings
from orpheus.supervisor.outbox.postgresql import PostgresqlSource, table_digest
from orpheus.supervisor.outbox.rows import NotHere
from orpheus.supervisor.outbox.sqlite import SqliteSource

TABLE = "orpheus_outbox"


class Host:
    """A drainer that is stepped, and whether its host leads."""

    def __init__(self, settings: OutboxSettings, *, leads: bool = True) -> None:
        self.is_leader = leads
        self.drainer = Drainer(settings, leads=lambda: self.is_leader)

    def step(self) -> str:
        """Drain what there is; what was wrong."""
        self.drainer._turn()
        return self.drainer.trouble


@pytest.fixture
def store(postgresql_url: str, tmp_path: Path) -> Iterator[Store]:
    """Orpheus' database, which the hosts share."""
    opened = open_store(postgresql_url, create=True, state_dir=str(tmp_path / "state"))
    opened.types.replace([TypeRow("count", "{}", None, None, None, "")])
    yield opened
    opened.close()


@pytest.fixture
def settings(postgresql_url: str, tmp_path: Path) -> OutboxSettings:
    """An outbox in a file."""
    state_dir = str(tmp_path / "state")
    return OutboxSettings(
        name="shop",
        url=f"sqlite:///{tmp_path}/shop.db",
        table=TABLE,
        poll_s=0.02,
        storage=StorageSettings(postgresql_url, durable=True, pools={}, state_dir=state_dir),
        defaults=JobDefaults(max_retries=3, timeout_s=900),
        max_payload_bytes=1000,
    )


@pytest.fixture
def new_host(settings: OutboxSettings) -> Iterator[Callable[..., Host]]:
    """Makes a host: of another outbox, or one that does not lead."""
    with ExitStack() as stack:

        def make(url: str = settings.url, *, leads: bool = True) -> Host:
            host = Host(replace(settings, url=url), leads=leads)
            stack.callback(host.drainer._close)
            return host

        yield make


def numbers(store: Store) -> list[int]:
    jobs = store.jobs.page(JobFilter(), 10)
    return [json.loads(job.payload)["n"] for job in jobs][::-1]


# The application's database is a server, which each host reaches: the leader drains


class Shop:
    """An application on PostgreSQL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        self.connection.execute(create_table("postgresql").encode())

    def add(self, n: int, key: str | None = None) -> None:
        sql = f"INSERT INTO {TABLE} (type, payload, unique_key) VALUES ('count', %s, %s)"
        self.connection.execute(sql.encode(), (json.dumps({"n": n}), key))

    def rows(self) -> list[Any]:
        return self.connection.execute(f"SELECT id FROM {TABLE}".encode()).fetchall()


@pytest.fixture
def shop(postgresql_server: Server) -> Iterator[Shop]:
    opened = Shop(postgresql_server.url)
    yield opened
    opened.connection.close()


def test_only_the_leader_drains_and_a_new_one_first_deletes_what_is_a_job_already(
    store: Store, shop: Shop, new_host: Callable[..., Host]
) -> None:
    host = new_host(shop.url, leads=False)
    shop.add(1)
    shop.add(2)
    assert host.step() == ""
    assert numbers(store) == []
    # The leader before made a job of the first row, and died before it deleted the row.
    store.jobs.submit(NewJob("count", '{"n": 1}'))
    store.outboxes.remember("shop", table_digest(shop.url, TABLE), 0, [1], refused=0)
    host.is_leader = True
    assert host.step() == ""
    assert (numbers(store), shop.rows()) == ([1, 2], [])


def test_the_server_ends_a_batch_whose_drainer_stands_still_or_is_cut_off(shop: Shop) -> None:
    source = PostgresqlSource(shop.url, TABLE, 1000)

    def seconds(name: str) -> float:
        row = source._connection.execute(
            "SELECT extract(epoch FROM coalesce(nullif(current_setting(%s), '0'), '1h')::interval)",
            (name,),
        ).fetchone()
        assert row is not None
        return float(row[0])

    with source.batch([]):
        assert seconds("idle_in_transaction_session_timeout") <= 15
        assert "tcp_user_timeout" in postgresql._SETTINGS
        assert "tcp_keepalives_idle" in postgresql._SETTINGS
    assert seconds("idle_in_transaction_session_timeout") > 15, "no state stays in the session"
    source.close()


def test_a_key_that_an_open_transaction_holds_keeps_only_its_own_row_waiting(
    store: Store, shop: Shop, new_host: Callable[..., Host], postgresql_url: str
) -> None:
    host = new_host(shop.url)
    with psycopg.connect(postgresql_url) as application:
        held = open_store_in(application, lambda answer: answer)
        held.jobs.submit(NewJob("count", '{"n": 0}', unique_key="held"))
        shop.add(1, "held")
        shop.add(2)
        shop.add(3, "free")
        shop.add(4, "held")
        assert host.step() == ""
        assert numbers(store) == [2, 3]
        assert shop.rows() == [(1,), (4,)]
        application.rollback()
    assert host.step() == ""
    assert (numbers(store), shop.rows()) == ([2, 3, 1], [])


# It is a file, which only some hosts have: they drain it, whoever leads


class Till:
    """An application on SQLite."""

    def __init__(self, file: Path) -> None:
        self.url = f"sqlite:///{file}"
        self.connection = apsw.Connection(str(file))
        self.connection.set_busy_timeout(10_000)
        self.connection.execute(create_table("sqlite"))

    def add(self, n: int, key: str | None = None) -> None:
        sql = f"INSERT INTO {TABLE} (type, payload, unique_key) VALUES ('count', ?, ?)"
        self.connection.execute(sql, (json.dumps({"n": n}), key))

    def rows(self) -> list[Any]:
        return self.connection.execute(f"SELECT id FROM {TABLE}").fetchall()


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    opened = Till(tmp_path / "shop.db")
    yield opened
    opened.connection.close()


def test_a_file_is_drained_by_the_host_that_has_it_and_the_others_wait(
    store: Store, till: Till, new_host: Callable[..., Host]
) -> None:
    without, other = new_host("sqlite:////nonexistent/shop.db"), new_host(leads=False)
    till.add(1)
    assert (without.step(), without.step(), other.step()) == ("", "", "")
    assert numbers(store) == [1]


def test_files_of_two_hosts_with_one_path_are_told_apart(till: Till, tmp_path: Path) -> None:
    file = tmp_path / "shop.db"

    def digest() -> str:
        source = SqliteSource(file, TABLE, 1000)
        with pytest.raises(NotHere, match="another Orpheus drains"):
            SqliteSource(file, TABLE, 1000)
        source.close()
        return source.digest

    here = digest()
    assert digest() == here
    [lock] = tmp_path.glob("*-lock")
    lock.unlink()  # as on another host, where the file has never been drained
    assert digest() != here
