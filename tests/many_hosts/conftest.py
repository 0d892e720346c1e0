"""Several hosts on one PostgreSQL, and what may happen to all of them.

A module has a server and hosts of its own, so that a test does not pay for a start.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.machine import folder_in_memory
from tests.many_hosts.database_server import DatabaseServer, empty_cluster_in, running_server
from tests.many_hosts.hosts import Host
from tests.many_hosts.namespaces import Namespace
from tests.many_hosts.tcp_proxy import TcpProxy

DATABASE = "postgres"
StartHosts = Callable[..., list[Host]]


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder that the user of PostgreSQL can reach."""
    folder = Path(tempfile.mkdtemp(dir=folder_in_memory()))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def empty_cluster() -> Iterator[Path]:
    """What each server begins with a copy of: to make it takes a second of a processor."""
    with reachable_folder() as folder:
        yield empty_cluster_in(folder / "empty")


@pytest.fixture(scope="module")
def server_folder() -> Iterator[Path]:
    """Where the servers of a module are."""
    with reachable_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def shared_server(server_folder: Path, empty_cluster: Path) -> Iterator[DatabaseServer]:
    """The database server of a module."""
    with running_server(server_folder / "primary", empty_cluster) as server:
        yield server


@pytest.fixture(scope="module")
def new_proxy() -> Iterator[Callable[..., TcpProxy]]:
    """Makes proxies before a port; they end with the module."""
    with ExitStack() as stack:
        yield lambda *target: stack.enter_context(TcpProxy(*target))


@pytest.fixture(scope="module")
def start_hosts(
    tmp_path_factory: pytest.TempPathFactory,
    server_folder: Path,
    new_proxy: Callable[[int], TcpProxy],
) -> Iterator[StartHosts]:
    """Starts hosts, all at once: `start_hosts({"ada": url, "bob": url}, settings)`.

    Each serves the queue of its name besides `default`. At the end of the module, they stop, before
    what they use does.
    """
    folder = tmp_path_factory.mktemp("hosts")
    hosts: list[Host] = []

    def start(
        urls: dict[str, str],
        settings: dict[str, str] | None = None,
        environment_of: Callable[[str], dict[str, str]] = lambda _: {},
        namespaces: Mapping[str, Namespace] | None = None,
    ) -> list[Host]:
        def start_one(name: str) -> Host:
            queues = {"pools.default.queues": f'["default", "{name}"]'}
            own = {**queues, **(settings or {})}
            namespace = (namespaces or {}).get(name)
            return Host(name, folder, urls[name], own, namespace, environment=environment_of(name))

        with ThreadPoolExecutor() as threads:
            started = list(threads.map(start_one, urls))
        hosts.extend(started)
        return started

    yield start
    try:
        for host in hosts:
            host.thaw_all()
            if host.process.poll() is None:
                assert host.stop() == 0
    finally:
        for host in hosts:
            host.end()
