"""Each kind of client, on one database with an API: the database or HTTP, blocking or awaited."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

from orpheus import AsyncClient, Client
from orpheus.shared.domain.handover import ApiHandover, JobDefaults, StorageSettings
from orpheus.shared.storage import open_storage
from tests.api.conftest import ADD, STRICT, Running, untouched
from tests.databases import make_database

__all__ = ["untouched"]  # the fixture

KINDS = ("database", "http", "database awaited", "http awaited")


class Awaiting:
    """An AsyncClient whose methods are awaited at once: what its tests call is what Client has."""

    def __init__(self, runner: asyncio.Runner, client: Any) -> None:
        self._runner = runner
        self.client = client

    @property
    def schedules(self) -> Any:
        return Awaiting(self._runner, self.client.schedules)

    def __call__(self) -> Any:
        return self.__getattr__("__call__")()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            async def awaited() -> Any:
                return await getattr(self.client, name)(*given, **named)

            return self._runner.run(awaited(), context=copy_context())

        return call


class Maker:
    """Makes clients of one kind for one API, and closes them."""

    def __init__(self, kind: str, api: Running, config: Path, stack: ExitStack) -> None:
        self.is_http = kind.startswith("http")
        self._is_awaited = kind.endswith("awaited")
        self._api = api
        self._config = config
        self._stack = stack
        self._runner = stack.enter_context(asyncio.Runner()) if self._is_awaited else None

    def __call__(self, url: str | None = None, config: Path | None = None, **options: Any) -> Any:
        """Return a client; of another server or database, if given."""
        server = url or f"http://127.0.0.1:{self._api.port}" if self.is_http else None
        options = options if self.is_http else {}
        if not self.is_http:
            options["config"] = config or self._config
        if self._runner is None:
            made: Any = Client(server, **options)
        else:
            made = Awaiting(self._runner, AsyncClient(server, **options))
        self._stack.callback(made.close)
        return made


def write_config(path: Path, url: str, more: str = "") -> Path:
    """Write a configuration that names this database."""
    path.write_text(f'[database]\nurl = "{url}"\n{more}')
    return path


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/orpheus.db"


@pytest.fixture
def config(tmp_path: Path, url: str) -> Path:
    """The configuration of the database."""
    return write_config(tmp_path / "orpheus.toml", url)


@pytest.fixture
def options(url: str) -> ApiHandover:
    return ApiHandover(
        storage=StorageSettings(url=url, durable=False, pools={"default": ("*",)}),
        defaults=JobDefaults(max_retries=3, timeout_s=900.0),
        host_name="host-1",
    )


@pytest.fixture
def api(options: ApiHandover) -> Iterator[Running]:
    """An API with the job types `add` and `strict`, on a database of its own."""
    make_database(options.storage.url)
    store = open_storage(options.storage)
    store.types.replace([ADD, STRICT])
    running = Running(options, store, None)
    yield running
    running.stop()
    store.close()


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, api: Running, config: Path) -> Iterator[Maker]:
    """Makes clients of one kind; a test runs once for each."""
    with ExitStack() as stack:
        yield Maker(request.param, api, config, stack)


@pytest.fixture
def client(make: Maker) -> Any:
    """A client; a test runs once for each kind, and must see the same."""
    return make()
