"""A server that takes connections and never answers: nobody waits for it for ever."""

import os
import socket
from collections.abc import Iterator

import psycopg
import pytest

from orpheus.shared.errors import CommitInDoubt, DatabaseAway
from orpheus.shared.storage.postgres import silence
from orpheus.shared.storage.postgres.connection import Connection
from tests.many_hosts.tcp_proxy import TcpProxy

LOOKS_EVERY_S = 0.05
BEGIN = "BEGIN; SELECT 7"
CONNECTS_WITHIN_S = 2
"""The least that libpq allows."""


def opened(url: str) -> Connection:
    return Connection(url, pooled=False, prepare=lambda raw, name: None)


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "_LOOKS_EVERY_S", LOOKS_EVERY_S)
    monkeypatch.setattr(silence, "_all", silence._All())


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
    yield one
    one.close()


def test_a_port_that_only_accepts_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as accepts:
        url = f"postgresql://orpheus@127.0.0.1:{accepts.getsockname()[1]}/app"
        with pytest.raises(DatabaseAway, match=r"127.0.0.1/app cannot be reached: .*timeout"):
            opened(f"{url}?connect_timeout={CONNECTS_WITHIN_S}")


def test_a_statement_that_is_never_answered_is_given_up(
    connection: Connection, proxy: TcpProxy
) -> None:
    connection.begin(BEGIN)
    proxy.cut()
    with pytest.raises(DatabaseAway, match="holds the connection, but is silent; nothing"):
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


def test_a_transaction_that_is_never_begun_is_given_up_with_the_name_of_what_is_silent(
    connection: Connection, proxy: TcpProxy
) -> None:
    proxy.cut()
    with pytest.raises(DatabaseAway, match=r"127.0.0.1/test_\d+ cannot be reached: .*timeout"):
        connection.begin(BEGIN)


def test_a_session_that_the_server_does_not_know_is_given_up(connection: Connection) -> None:
    """So it is after a failover, behind a proxy that holds what leads to the old server."""
    connection.begin(BEGIN)
    connection._watched.server_pid = 2**22 + 1
    with pytest.raises(DatabaseAway, match="but is silent"):
        connection.execute("SELECT pg_sleep(60)")


def test_a_statement_may_take_as_long_as_the_server_works_on_it(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[int] = []
    judge = silence._judge

    def note(waiting: list[tuple[silence.Watched, int]]) -> None:
        judge(waiting)
        judged.append(waiting[0][0].server_pid)

    monkeypatch.setattr(silence, "_judge", note)
    assert connection.execute("SELECT ?::text FROM pg_sleep(1)", ("done",)).fetchone() == ("done",)
    assert judged and connection.opened == 1


def test_of_several_servers_in_a_url_the_one_that_serves_it_is_asked(postgresql_url: str) -> None:
    port = psycopg.conninfo.conninfo_to_dict(postgresql_url)["port"]
    one = opened(postgresql_url.replace(f":{port}/", f":1,127.0.0.1:{port}/"))
    assert one._watched.parameters["port"] == port
    assert one._watched.parameters["host"] == "127.0.0.1"
    one.close()


def test_a_child_that_is_forked_during_a_look_can_connect() -> None:
    with silence._all._lock:
        child = os.fork()
        if child == 0:
            os._exit(0 if silence._all._lock.acquire(timeout=1) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_session_is_known_by_its_number_on_the_server(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PgBouncer, also in session mode, tells its clients numbers of its own."""
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", 2**22 + 1)
    one = opened(postgresql_url)
    assert one.execute("SELECT ?::text FROM pg_sleep(1)", ("done",)).fetchone() == ("done",)
    assert one.opened == 1
    one.close()


@pytest.mark.usefixtures("many_files")
def test_a_process_with_many_files_open_asks_as_well(connection: Connection) -> None:
    assert silence._working(connection._watched.parameters, [1]) == {0}
