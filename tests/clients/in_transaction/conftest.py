"""An application's connection to the database of Orpheus; one database for all tests of a process.

Each test has jobs of its own queue, so that none sees those of another.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace
from psycopg.rows import scalar_row

from benchmarks.servers import Server
from orpheus import Client
from orpheus.client import JobRequest
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store, open_store
from tests.api.conftest import ADD, STRICT

HOLDER = Holder(slot="default-1", incarnation="life-1", pid=101)


@pytest.fixture(scope="session")
def application_url(postgresql_server: Server, orpheus_template: str) -> str:
    """The database of an application, with the schema of Orpheus and a table of its own."""
    with psycopg.connect(postgresql_server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE application TEMPLATE {orpheus_template}".encode())
    url = postgresql_server.url.replace("/postgres", "/application")
    with psycopg.connect(url) as connection:
        connection.execute(b"CREATE TABLE orders (id bigserial PRIMARY KEY, queue text, path text)")
    return url


@pytest.fixture(scope="session")
def store(application_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The store of a program of Orpheus, with the job types `add`, `strict` and `resize`."""
    folder = tmp_path_factory.mktemp("state")
    opened = open_store(application_url, create=True, state_dir=str(folder))
    opened.types.replace([ADD, STRICT, replace(ADD, name="resize")])
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The application's folder, without a configuration of Orpheus."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def connect(application_url: str, store: Store) -> Iterator[Callable[..., Any]]:
    """Opens a connection as an application would."""
    opened: list[Any] = []

    def open_one(**options: Any) -> Any:
        opened.append(psycopg.connect(application_url, **options))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def connection(connect: Callable[..., Any]) -> Any:
    """A connection as psycopg makes it."""
    return connect()


@pytest.fixture
def client(connection: Any) -> Client:
    """A client in the transaction of `connection`."""
    return Client(connection=connection)


@pytest.fixture
def queue(request: pytest.FixtureRequest) -> str:
    """A queue that no other test uses."""
    return f"q{abs(hash(request.node.nodeid))}"


class Jobs:
    """The jobs of one queue, as a worker and an operator see them: what is committed."""

    def __init__(self, store: Store, queue: str) -> None:
        self.queue = queue
        self._store = store

    def ids(self) -> list[int]:
        return sorted(job.id for job in self._store.jobs.page(JobFilter(queue=self.queue), 100))

    def new(self, type: str = "add", **options: Any) -> JobRequest:
        return JobRequest(type).with_options(queue=self.queue, **options)

    def lease(self) -> Lease:
        (lease,) = self._store.leases.lease(HOLDER, (self.queue,), 1, 30_000)
        return lease

    def finish(self, lease: Lease) -> None:
        done = Finished(lease, Ending.SUCCEEDED, result="null", error=None)
        assert not self._store.leases.finish([done])

    def status(self, job_id: int) -> str:
        return self._store.jobs.get(job_id).status

    def link(self) -> None:
        """As the leader's upkeep, within a second."""
        while self._store.dependencies.continue_cascades():
            pass


@pytest.fixture
def jobs(store: Store, queue: str) -> Iterator[Jobs]:
    yield Jobs(store, queue)
    assert store.maintenance.verify() == []


class Orders:
    """The application's own table: what of a test is in it, on another connection."""

    def __init__(self, connection: Any, queue: str) -> None:
        self._connection = connection
        self._queue = queue

    def add(self, connection: Any) -> None:
        connection.execute("INSERT INTO orders (queue) VALUES (%s)", (self._queue,))

    def count(self) -> int:
        with self._connection.cursor(row_factory=scalar_row) as cursor:
            sql = "SELECT count(*) FROM orders WHERE queue = %s"
            return int(cursor.execute(sql, (self._queue,)).fetchone())


@pytest.fixture
def orders(connect: Callable[..., Any], queue: str) -> Orders:
    return Orders(connect(autocommit=True), queue)
