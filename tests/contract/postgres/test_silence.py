"""A server that takes connections and never answers: nobody waits for it for ever."""

from collections.abc import Iterator

import psycopg
import pytest

from orpheus.shared.errors import CommitInDoubt, DatabaseAway
from orpheus.shared.storage import open_store
from orpheus.shared.storage.postgres.connection import Connection
from orpheus.shared.storage.postgres.database import PostgresDatabase
from tests.many_hosts.tcp_proxy import TcpProxy

ANSWERS_WITHIN_S = 0.5
BEGIN = "BEGIN; SELECT 7"
CONNECTS_WITHIN_S = 2
"""The least that libpq allows."""


def opened(url: str) -> Connection:
    return Connection(url, pooled=False, prepare=lambda raw, name: None)


@pytest.fixture
def proxy(postgresql_url: str) -> Iterator[TcpProxy]:
    """It takes connections and holds them: while it is cut, no byte comes from it."""
    port = psycopg.conninfo.conninfo_to_dict(postgresql_url)["port"]
    with TcpProxy(int(port or 0)) as one:
        yield one


@pytest.fixture
def connection(postgresql_url: str, proxy: TcpProxy) -> Iterator[Connection]:
    port = psycopg.conninfo.conninfo_to_dict(postgresql_url)["port"]
    url = postgresql_url.replace(f":{port}/", f":{proxy.port}/")
    one = opened(f"{url}?connect_timeout={CONNECTS_WITHIN_S}")
    one.answers_within_s = ANSWERS_WITHIN_S
    yield one
    one.close()


def test_a_statement_that_is_never_answered_is_given_up(
    connection: Connection, proxy: TcpProxy
) -> None:
    connection.begin(BEGIN)
    proxy.cut()
    with pytest.raises(DatabaseAway, match=r"has not answered for 0\.5 s.*nothing was written"):
        connection.execute("SELECT 1")
    connection.roll_back()
    proxy.heal()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_nobody_can_tell_what_became_of_a_commit_that_is_never_answered(
    connection: Connection, proxy: TcpProxy
) -> None:
    connection.begin(BEGIN)
    connection.execute("INSERT INTO orpheus.host_builds VALUES ('one', 'build', 1)")
    proxy.cut()
    with pytest.raises(CommitInDoubt, match="lost in a commit, which may have been done"):
        connection.commit()


def test_a_statement_that_reads_whole_tables_may_take_as_long_as_it_wants(
    postgresql_url: str, connection: Connection
) -> None:
    connection.answers_within_s = None
    assert connection.execute("SELECT ?::text FROM pg_sleep(1)", ("done",)).fetchone() == ("done",)
    store = open_store(postgresql_url, create=True)
    assert isinstance(store._database, PostgresDatabase)
    within_s = store._database._connection.answers_within_s
    with store._database.snapshot_of_all():
        assert store._database._connection.answers_within_s is None
    assert store._database._connection.answers_within_s == within_s is not None
    store.close()
