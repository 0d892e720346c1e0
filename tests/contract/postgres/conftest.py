import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest

from orpheus.shared.storage import Store, open_store
from orpheus.shared.storage.postgres.connection import Connection
from orpheus.shared.storage.postgres.messages import Execution, Messages
from tests.machine import wait_until

Connect = Callable[..., Connection]
_WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted"


def begin_and_wait(admin: psycopg.Connection, action: Callable[[], object]) -> threading.Thread:
    """Run it in a thread until it waits for a lock, or is done."""
    thread = threading.Thread(target=action)
    thread.start()
    wait_until(lambda: admin.execute(_WAITING).fetchone() or not thread.is_alive(), "it to wait")
    return thread


@pytest.fixture
def connect(postgresql_url: str) -> Iterator[Connect]:
    """Opens a connection of the store, with settings of the session."""
    opened: list[Connection] = []

    def open_one(pooled: bool = False, **settings: str) -> Connection:
        options = "%20".join(f"-c%20{name}%3D{value}" for name, value in settings.items())
        url = f"{postgresql_url}?options={options}" if options else postgresql_url
        opened.append(Connection(url, pooled=pooled, prepare=lambda raw, name: None))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def connection(connect: Connect) -> Connection:
    return connect()


@pytest.fixture
def admin(postgresql_url: str) -> Iterator[psycopg.Connection]:
    """Another program's connection to the same database."""
    with psycopg.connect(postgresql_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def timed(postgresql_url: str, tmp_path: Path) -> Iterator[Store]:
    """A store with the clock of the server."""
    opened = open_store(postgresql_url, create=True, state_dir=str(tmp_path / "state"))
    yield opened
    opened.close()


@pytest.fixture
def application(postgresql_url: str) -> Iterator[psycopg.Connection]:
    """An application's connection, in a transaction of its own."""
    with psycopg.connect(postgresql_url) as opened:
        yield opened


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many statements each message to the server has had."""
    sizes: list[int] = []
    execute = Messages.execute

    def noted(self: Messages, statements: Sequence[Execution]) -> None:
        sizes.append(len(statements))
        execute(self, statements)

    monkeypatch.setattr(Messages, "execute", noted)
    return sizes


@pytest.fixture
def kill(admin: psycopg.Connection) -> Callable[[Connection], None]:
    """Ends the server's side of a connection."""

    def kill_one(connection: Connection) -> None:
        raw = connection._connection
        assert raw is not None
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", (raw.info.backend_pid,))

    return kill_one
