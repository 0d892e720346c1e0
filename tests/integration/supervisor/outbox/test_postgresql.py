"""An outbox in an application's PostgreSQL database: `postgres`, where no other makes a table."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from benchmarks.servers import Server
from orpheus.supervisor.outbox.postgresql import table_digest
from tests.integration.supervisor.outbox.draining import (
    POINTS,
    Application,
    Draining,
    DrainingTests,
)
from tests.integration.supervisor.outbox.draining_process import DrainingProcess
from tests.integration.supervisor.outbox.refusing import RefusingTests
from tests.machine import wait_until
from tests.variants import variants


class PostgresqlApplication(Application):
    """An application with an empty database."""

    kind = "postgresql"

    def __init__(self, url: str) -> None:
        self.url = url
        self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.url) as connection:
            yield connection

    @contextmanager
    def locked(self) -> Iterator[None]:
        with psycopg.connect(self.url) as connection:
            connection.execute("LOCK TABLE orpheus_outbox IN EXCLUSIVE MODE")
            yield

    def undeletable(self, condition: str) -> None:
        self.execute(
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            "CREATE TRIGGER keep BEFORE DELETE ON orpheus_outbox FOR EACH ROW "
            f"WHEN (old.{condition}) EXECUTE FUNCTION keep()"
        )


@pytest.fixture
def application(postgresql_server: Server) -> PostgresqlApplication:
    return PostgresqlApplication(postgresql_server.url)


@pytest.fixture
def draining(
    tmp_path: Any, application: PostgresqlApplication, shared_process: DrainingProcess
) -> Iterator[Draining]:
    one = Draining(tmp_path, application, shared_process)
    yield one
    one.end()


class TestPostgresql(DrainingTests, RefusingTests):
    """What holds for every database. The usual run kills at every point with SQLite."""

    @pytest.mark.parametrize("point", variants(POINTS, "outbox.jobs_committed"))
    def test_a_drainer_that_is_killed_repeats_nothing_and_loses_nothing(
        self, draining: Draining, application: Application, point: str
    ) -> None:
        super().test_a_drainer_that_is_killed_repeats_nothing_and_loses_nothing(
            draining, application, point
        )


NO_TIMES = ("infinity", "-infinity", "12000-01-01T00:00:00Z", "0044-03-15 12:00:00+00 BC")


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date", "text"])
def test_a_time_that_no_job_can_have_is_refused_and_stops_no_other(
    draining: Draining, application: PostgresqlApplication, kind: str
) -> None:
    application.make_table()
    application.execute(f"ALTER TABLE orpheus_outbox ALTER run_at TYPE {kind}")
    for time in NO_TIMES:
        application.execute(
            f"INSERT INTO orpheus_outbox (type, payload, run_at) VALUES ('count', '{{}}', '{time}')"
        )
    application.add(1)
    draining.start()
    wait_until(lambda: draining.numbers() == [1], "the other to be drained")
    wait_until(lambda: None not in application.rows("refused_at"), "the reasons")
    reasons = application.rows("refused_reason")
    assert [why.partition(":")[0] for why in reasons] == ["run_at"] * len(NO_TIMES)
    assert draining.log("outbox_failed") == draining.log("outbox_trouble") == []


def test_the_digest_of_a_table_does_not_depend_on_who_reads_it() -> None:
    digest = table_digest("postgresql://a:secret@db/shop", "outbox")
    assert (
        table_digest("postgres://b:other@db/shop?connect_timeout=9&passfile=x", "outbox") == digest
    )
    assert table_digest("postgresql://db/shop?user=a&password=secret", "outbox") == digest
    others = {
        table_digest(url, table)
        for url, table in (
            ("postgresql://db/shop", "Outbox"),
            ("postgresql://db/bank", "outbox"),
            ("postgresql://db2/shop", "outbox"),
            ("postgresql://db:5433/shop", "outbox"),
            ("postgresql://db/shop?options=-csearch_path%3Dother", "outbox"),
            ("postgresql:///?service=shop", "outbox"),
            ("postgresql://a@db", "outbox"),  # without a name, the database is that of the user
            ("postgresql://b@db", "outbox"),
        )
    }
    assert len(others - {digest}) == 8
    assert "secret" not in digest


def test_a_row_that_another_transaction_holds_is_left_for_later(
    draining: Draining, application: PostgresqlApplication
) -> None:
    application.make_table()
    application.add(1, 2)
    with psycopg.connect(application.url) as connection:
        connection.execute("SELECT 1 FROM orpheus_outbox WHERE id = 1 FOR UPDATE")
        draining.start()
        wait_until(lambda: application.rows() == [1], "the other to be drained")
    draining.until_empty()
    assert draining.numbers() == [2, 1]


def test_a_server_that_cannot_be_reached_is_told_without_the_password(
    draining: Draining, application: PostgresqlApplication
) -> None:
    application.url = "postgresql://orpheus:hush-hush@127.0.0.1:1/shop"
    draining.start()
    assert "127.0.0.1/shop: connection" in draining.until_logged("outbox_trouble")["reason"]
    assert "hush" not in draining.log_file.read_text()


def test_a_connection_that_is_cut_is_made_again(
    draining: Draining, application: PostgresqlApplication
) -> None:
    application.make_table()
    draining.start()
    application.add(1)
    draining.until_empty()
    application.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'orpheus' AND datname = current_database()"
    )
    draining.until_logged("outbox_trouble")
    application.add(2)
    draining.until_empty()
    assert draining.numbers() == [1, 2]
