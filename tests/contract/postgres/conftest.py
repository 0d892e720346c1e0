from collections.abc import Callable, Iterator, Sequence

import psycopg
import pytest

from orpheus.shared.storage.postgres.connection import Connection
from orpheus.shared.storage.postgres.messages import Execution, Messages

Connect = Callable[..., Connection]


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
