"""The application on a real server, on a free port, over a database of its own."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace
from websockets.sync.client import ClientConnection, connect

from orpheus.api.app import create_app
from orpheus.api.dashboard import pages
from orpheus.api.dashboard.static_files import StaticFiles
from orpheus.api.http.auth import Key
from orpheus.api.server.uvicorn import Server
from orpheus.api.services import Services, open_services
from orpheus.config.editing.file import ConfigurationFile
from orpheus.shared.domain.handover import ApiHandover, JobDefaults, StorageSettings
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import ProcessRecord, Role, SlotRecord, SlotState
from orpheus.shared.operations.configuration import ConfigurationEditor
from orpheus.shared.process.listener import bind_listener
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store, TypeRow, open_storage, state_files
from tests.audit_log import entries_of
from tests.databases import make_database
from tests.machine import PATIENCE_S
from tests.slot_rows import slot as slot_row

HOLDER = Holder(slot="default-1", incarnation="life-1", pid=101)
ADD = TypeRow(
    name="add",
    schema=json.dumps(
        {
            "type": "object",
            "properties": {"n": {"type": "integer"}, "text": {"type": "string"}},
            "additionalProperties": True,
        }
    ),
    max_retries=None,
    timeout_s=None,
    queue=None,
    description="Adds.",
)
STRICT = TypeRow(
    name="strict",
    schema='{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}},'
    '"additionalProperties":false}',
    max_retries=7,
    timeout_s=12.5,
    queue="slow",
    description="Minds.",
)


def no_file() -> ConfigurationEditor:
    """The configuration of an API that was started without a file."""
    return ConfigurationFile(None, (), {}, state_files("sqlite:////none/o.db"))


class Running:
    """The application in a thread of its own, as its clients and its workers see it."""

    def __init__(
        self,
        options: ApiHandover,
        store: Store,
        token: str | Sequence[Key] | None,
        configuration: Callable[[], ConfigurationEditor] = no_file,
    ) -> None:
        self.store = store
        self.services: Services
        self._options = options
        keys = [Key((token,))] if isinstance(token, str) else token or ()
        self._opened = open_services(options, keys=keys, configuration=configuration)
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._listener = bind_listener("127.0.0.1", 0)
        self.port = self._listener.getsockname()[1]
        self.client = httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            timeout=PATIENCE_S,
            trust_env=False,
            verify=False,  # to read the certificates that it would trust takes 5 ms
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._started.wait(PATIENCE_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        async with self._opened as self.services:
            self._server = Server(
                create_app(self.services),
                max_clients=self._options.max_clients,
                on_started=self._started.set,
                on_stopping=self.services.release_all,
            )
            await self._server.serve(sockets=[self._listener])

    def stop(self) -> None:
        self.client.close()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._server.stop)
            self._thread.join(20)
        assert not self._thread.is_alive()

    def drain(self) -> None:
        """As if a new life had taken over; soon."""
        self.call(self._server.drain)

    def call(self, what: Callable[[], object]) -> None:
        """Call it in the application's event loop, soon."""
        self._loop.call_soon_threadsafe(what)

    def submit(self, type: str = "add", **fields: Any) -> int:
        """Submit a job over HTTP; its id."""
        answer = self.client.post("/jobs", json={"type": type, **fields})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def lease(self, limit: int = 1) -> list[Lease]:
        """As a worker would."""
        return self.store.leases.lease(HOLDER, ("*",), limit, 30_000)

    def finish(self, lease: Lease, result: str = "null") -> None:
        """As a worker would."""
        finished = Finished(lease, Ending.SUCCEEDED, result=result, error=None)
        assert not self.store.leases.finish([finished])

    def run_one(self) -> int:
        """Lease the next job and finish it; its id."""
        (lease,) = self.lease()
        self.finish(lease)
        return lease.job_id

    def process(self, slot: str, role: Role = Role.WORKER, **changes: Any) -> ProcessRecord:
        """The heartbeat row of a process that beats at this moment."""
        clock, pool = self.store.clock, "default" if role is Role.WORKER else None
        fields = {"pid": 101, "started_at_ms": clock.wall_ms() - 5000, "jobs_done": 4, **changes}
        life = f"life-of-{slot}"
        first = own_record(clock, "host-1", role, slot, life, pool=pool, ready=True)
        record = replace(first, **fields)
        self.store.processes.register(record)
        return record

    @staticmethod
    def slot(name: str, state: SlotState, role: Role = Role.WORKER, **changes: Any) -> SlotRecord:
        """A slot as a supervisor writes it."""
        pool = "default" if role is Role.WORKER else None
        measured = {"pid": 101, "cpu_percent": 1.5, "rss_bytes": 30_000_000, "started_at_ms": 1}
        return slot_row(name, state, **{"role": role, "pool": pool, **measured, **changes})

    @contextmanager
    def watch(self, query: str = "", **options: Any) -> Iterator["Watcher"]:
        """A client of the event stream."""
        url = f"ws://127.0.0.1:{self.port}/ws{query}"
        with connect(url, proxy=None, **options) as connection:
            yield Watcher(connection)


@dataclass
class Watcher:
    """A WebSocket, with the frames it has received."""

    connection: ClientConnection

    def next(self, *types: str, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next frame; of one of these types, if given."""
        while True:
            frame: dict[str, Any] = json.loads(self.connection.recv(timeout_s))
            if not types or frame["type"] in types:
                return frame

    def events(self, count: int) -> list[dict[str, Any]]:
        """The next `count` stored events, at least."""
        events: list[dict[str, Any]] = []
        while len(events) < count:
            events += [e for e in self.next("events")["events"] if "seq" in e]
        return events


@pytest.fixture(scope="session", autouse=True)
def _files_read_once() -> Iterator[None]:
    """Read the files of the dashboard once, and not for each application."""
    with pytest.MonkeyPatch.context() as patch:
        files = StaticFiles(pages._HERE / "static", pages._POLICY)
        patch.setattr(pages, "StaticFiles", lambda *_: files)
        yield


def options_of(folder: Path) -> ApiHandover:
    """The options of an application whose database is below this folder."""
    return ApiHandover(
        storage=StorageSettings(
            url=f"sqlite:///{folder}/data/orpheus.db", durable=False, pools={"default": ("*",)}
        ),
        defaults=JobDefaults(max_retries=3, timeout_s=900.0),
        host_name="host-1",
    )


@pytest.fixture
def options(tmp_path: Path) -> ApiHandover:
    return options_of(tmp_path)


@contextmanager
def applications(options: ApiHandover) -> Iterator[Callable[..., Running]]:
    """Start the application, with other options if given; each is stopped in the end."""
    started: list[Running] = []

    def start_one(
        token: str | None = None,
        configuration: Callable[[], ConfigurationEditor] = no_file,
        **changes: Any,
    ) -> Running:
        make_database(options.storage.url)
        store = open_storage(options.storage)
        store.types.replace([ADD, STRICT])
        started.append(Running(replace(options, **changes), store, token, configuration))
        return started[-1]

    yield start_one
    for running in started:
        running.stop()
        running.store.close()


@pytest.fixture
def start(options: ApiHandover) -> Iterator[Callable[..., Running]]:
    """Starts the application for one test; see `applications`."""
    with applications(options) as start_one:
        yield start_one


@pytest.fixture(scope="module")
def shared_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The application for all tests of a file that leave its database as it was."""
    with applications(options_of(tmp_path_factory.mktemp("shared"))) as start_one:
        yield start_one()


@pytest.fixture
def api(start: Callable[..., Running]) -> Running:
    return start()


@pytest.fixture
def untouched(api: Any) -> Iterator[Any]:
    """The application; when the test ends, its database must be as it was."""

    def content() -> tuple[object, ...]:
        store = api.store
        return (
            store.events.last_seq(),
            store.stats.counts(),
            store.jobs.page(JobFilter(), 500),
            store.queues.all(),
            store.schedules.all(),
            entries_of(store, 500),
            store.idempotency.find("k"),
        )

    before = content()
    yield api
    assert content() == before
