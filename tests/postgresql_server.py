"""The PostgreSQL of the tests: one server for each process of a run, a new database for each test.

The server ends with the run, also if the run is killed.
"""

import itertools
import os
import signal
from collections.abc import Callable, Iterator

import psycopg
import pytest

from benchmarks.servers import NotMeasured, Server, postgresql
from orpheus.shared.storage.postgres.opening import check_schema
from tests.machine import folder_in_memory

_SETTINGS = {
    "fsync": "off",  # no test outlives the power
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "deadlock_timeout": "50ms",
}
_TEMPLATE = "orpheus_template"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A server on a port of its own, in a temporary folder, in memory if there is enough."""
    try:
        with postgresql(folder_in_memory(), **_SETTINGS) as server:
            yield server
            assert server.process is not None
            server.process.send_signal(signal.SIGQUIT)  # nothing need be written to the disk
    except NotMeasured as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def new_database(postgresql_server: Server) -> Iterator[Callable[..., str]]:
    """Makes a database, whose URL it returns. It is deleted when the next one is made."""
    numbers = itertools.count(1)
    last = "none"
    with psycopg.connect(postgresql_server.url, autocommit=True) as connection:
        # Since 15, a template is copied page by page unless this is said, which takes longer.
        how = "STRATEGY file_copy" if connection.info.server_version >= 150_000 else ""

        def make(options: str = "") -> str:
            nonlocal last
            connection.execute(f"DROP DATABASE IF EXISTS {last} WITH (FORCE)".encode())
            last = f"test_{next(numbers)}"
            connection.execute(f"CREATE DATABASE {last} {options} {how}".encode())
            return postgresql_server.url.replace("/postgres", f"/{last}")

        yield make


@pytest.fixture(scope="session")
def orpheus_template(postgresql_server: Server) -> str:
    """The name of a database that has the newest schema, to copy."""
    with psycopg.connect(postgresql_server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {_TEMPLATE}".encode())
    url = postgresql_server.url.replace("/postgres", f"/{_TEMPLATE}")
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        check_schema(connection, "the template", create=True)
    return _TEMPLATE


@pytest.fixture
def empty_postgresql(new_database: Callable[..., str]) -> str:
    """The URL of an empty database."""
    return new_database()


@pytest.fixture
def postgresql_url(new_database: Callable[..., str], orpheus_template: str) -> str:
    """The URL of a database that has the newest schema and nothing else."""
    return new_database(f"TEMPLATE {orpheus_template}")
