"""Whose schema it is, and from an older version to the newest."""

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import DatabaseUnusable, StorageError
from orpheus.shared.storage import Store
from orpheus.shared.storage.migrate import Migration, load_migrations
from orpheus.shared.storage.postgres import opening
from orpheus.shared.storage.postgres.connection import Connection
from orpheus.shared.storage.postgres.database import PostgresDatabase
from orpheus.shared.storage.postgres.opening import check_schema

REAL = load_migrations("orpheus.shared.storage.postgres.migrations")
NEWEST = REAL[-1].version
NEXT = Migration(NEWEST + 1, "next", "ALTER TABLE orpheus.jobs ADD COLUMN note text;")
BROKEN = Migration(
    NEWEST + 1, "next", "ALTER TABLE orpheus.jobs ADD COLUMN note text; SELECT 1 / 0;"
)


def open_(url: str, *, create: bool = True) -> None:
    Connection(
        url, pooled=False, prepare=lambda raw, name: check_schema(raw, name, create=create)
    ).close()


@pytest.fixture
def admin(empty_postgresql: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(empty_postgresql, autocommit=True) as opened:
        yield opened


def versions(admin: psycopg.Connection) -> list[int]:
    sql = b"SELECT version FROM orpheus.schema_migrations ORDER BY version"
    return [row[0] for row in admin.execute(sql)]


def columns(admin: psycopg.Connection) -> set[str]:
    sql = b"""SELECT column_name FROM information_schema.columns
        WHERE table_schema = 'orpheus' AND table_name = 'jobs'"""
    return {row[0] for row in admin.execute(sql)}


def test_the_schema_is_made_once(empty_postgresql: str, admin: psycopg.Connection) -> None:
    open_(empty_postgresql)
    open_(empty_postgresql)
    open_(empty_postgresql, create=False)
    assert versions(admin) == [NEWEST]


def test_many_that_start_at_once_make_it_once(
    empty_postgresql: str, admin: psycopg.Connection
) -> None:
    errors: list[StorageError] = []

    def start() -> None:
        try:
            open_(empty_postgresql)
        except StorageError as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert versions(admin) == [NEWEST]


def test_without_create_nothing_is_made(empty_postgresql: str, admin: psycopg.Connection) -> None:
    with pytest.raises(DatabaseUnusable, match="no schema `orpheus`"):
        open_(empty_postgresql, create=False)
    assert admin.execute(b"SELECT to_regnamespace('orpheus')").fetchone() == (None,)


def test_an_older_schema_is_brought_to_the_newest_by_a_start_only(
    empty_postgresql: str, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_(empty_postgresql)
    monkeypatch.setattr(opening, "load_migrations", lambda _: [*REAL, NEXT])
    with pytest.raises(DatabaseUnusable, match="start Orpheus once to update it"):
        open_(empty_postgresql, create=False)
    assert "note" not in columns(admin)
    open_(empty_postgresql)
    assert "note" in columns(admin)
    assert versions(admin)[-1] == NEXT.version


def test_a_migration_that_fails_leaves_nothing(
    empty_postgresql: str, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_(empty_postgresql)
    monkeypatch.setattr(opening, "load_migrations", lambda _: [*REAL, BROKEN])
    with pytest.raises(psycopg.errors.DivisionByZero):
        open_(empty_postgresql)
    assert "note" not in columns(admin)
    assert versions(admin)[-1] == NEWEST


def test_a_newer_schema_is_left_as_it_is(empty_postgresql: str, admin: psycopg.Connection) -> None:
    open_(empty_postgresql)
    admin.execute(b"INSERT INTO orpheus.schema_migrations VALUES (999, 'later', 1)")
    with pytest.raises(DatabaseUnusable, match="schema 999, newer than this Orpheus knows"):
        open_(empty_postgresql)


def test_a_schema_from_before_the_first_release_is_left_as_it_is(
    empty_postgresql: str, admin: psycopg.Connection
) -> None:
    open_(empty_postgresql)
    admin.execute(b"UPDATE orpheus.schema_migrations SET version = 29")
    for create in (True, False):
        with pytest.raises(DatabaseUnusable, match="from before the first release"):
            open_(empty_postgresql, create=create)
    assert versions(admin) == [29]


@pytest.fixture
def newer(postgresql_url: str) -> Iterator[Callable[[], object]]:
    """Lets the database have a newer schema."""
    with psycopg.connect(postgresql_url, autocommit=True) as admin:
        yield lambda: admin.execute(
            b"INSERT INTO orpheus.schema_migrations VALUES (999, 'later', 1)"
        )


@pytest.mark.backends("postgresql")
def test_who_has_had_it_open_refuses_to_write_to_a_newer_schema(
    store: Store, newer: Callable[[], object]
) -> None:
    store.jobs.submit(NewJob("before"))
    newer()
    assert isinstance(store._database, PostgresDatabase)
    store._database._look_at_s = 0.0  # a second later
    for durable in (True, False):
        newer_schema = pytest.raises(DatabaseUnusable, match="schema 999, newer than this Orpheus")
        with newer_schema, store.write(durable=durable):
            store.jobs.submit(NewJob("after"))
    assert [job.type for job in store.jobs.page(JobFilter(), 9)] == ["before"]


def test_a_schema_of_another_program_is_left_as_it_is(
    empty_postgresql: str, admin: psycopg.Connection
) -> None:
    admin.execute(b"CREATE SCHEMA orpheus; CREATE TABLE orpheus.lyre (strings int)")
    with pytest.raises(DatabaseUnusable, match="another program"):
        open_(empty_postgresql)
    assert columns(admin) == set()


def test_a_role_needs_no_more_than_its_schema(
    empty_postgresql: str, admin: psycopg.Connection
) -> None:
    admin.execute(
        b"""DROP ROLE IF EXISTS singer; CREATE ROLE singer LOGIN;
        REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE SCHEMA orpheus AUTHORIZATION singer"""
    )
    url = empty_postgresql.replace("orpheus@", "singer@")
    open_(url)
    assert versions(admin) == [NEWEST]
    admin.execute(b"DROP OWNED BY singer; DROP ROLE singer")
