"""What the routes work with: the writer, the readers, the broadcaster, and the job types.

Opened and closed around the server, so that a route never meets a half-open one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import HTTPConnection

from orpheus.api.database.readers import Readers
from orpheus.api.database.writer import Writer
from orpheus.api.http.measures import Measures
from orpheus.api.start_watch import StartWatch
from orpheus.api.stream.broadcaster import Broadcaster
from orpheus.shared.domain.handover import ApiHandover
from orpheus.shared.domain.jobs import Status
from orpheus.shared.operations.configuration import ConfigurationEditor
from orpheus.shared.storage import Store, TypeRow, open_storage
from orpheus.shared.views.jobs import type_json
from orpheus.shared.views.workers import workers_json

T = TypeVar("T")

_TYPES_FRESH_S = 1.0


class TypesCache:
    """The job types, read again when they are a second old, or one is missing."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._types: dict[str, TypeRow] = {}
        self._read_at_s = float("-inf")

    async def with_names(self, names: Iterable[object]) -> dict[str, TypeRow]:
        """Every type by name; read anew if one of `names` is not known yet."""
        loop = asyncio.get_running_loop()
        is_fresh = loop.time() - self._read_at_s < _TYPES_FRESH_S
        if not is_fresh or not all(name in self._types for name in names):
            rows = await self._readers.read(lambda store: store.types.all())
            self._types = {row.name: row for row in rows}
            self._read_at_s = loop.time()
        return self._types


@dataclass(slots=True)
class Services:
    """One for each application."""

    options: ApiHandover
    token: str | None = field(repr=False)
    """The token that every caller must show; None: no token is needed."""
    configuration: Callable[[], ConfigurationEditor] | None
    """Where the configuration is read and edited; None: nowhere."""
    readers: Readers
    writer: Writer
    broadcaster: Broadcaster
    types: TypesCache
    start: StartWatch
    measures: Measures = field(default_factory=Measures)

    def apart(self, work: Callable[[Store], T]) -> T:
        """What `work` returns on a store of its own: for what takes many transactions. Blocks."""
        store = open_storage(self.options.storage)
        try:
            return work(store)
        finally:
            store.close()


def overview(store: Store, options: ApiHandover) -> dict[str, Any]:
    """Counts by status, and every worker but for its earlier exits: they come every second."""
    shown = workers(store, options)
    for worker in shown:
        del worker["recent_exits"]
    return {"counts": by_status(store.stats.counts()), "workers": shown}


def hello(store: Store, options: ApiHandover) -> dict[str, Any]:
    """Counts, workers and types, as a hello carries them."""
    types = [type_json(row, options.defaults) for row in store.types.all()]
    return {**overview(store, options), "types": types}


def workers(store: Store, options: ApiHandover) -> list[dict[str, Any]]:
    """Every slot, and every process without one."""
    return workers_json(store, supervised=options.supervised, beat_timeout_s=options.beat_timeout_s)


def by_status(counts: Mapping[Status, int]) -> dict[str, int]:
    """Counts with the statuses' names as JSON keys."""
    return {status.value: n for status, n in counts.items()}


def services_of(connection: HTTPConnection) -> Services:
    """The services of the application that answers `connection`."""
    services = connection.app.state.services
    assert isinstance(services, Services)
    return services


@contextlib.asynccontextmanager
async def open_services(
    options: ApiHandover,
    *,
    token: str | None = None,
    configuration: Callable[[], ConfigurationEditor] | None = None,
) -> AsyncIterator[Services]:
    """Open everything, for the running loop. Raises DatabaseUnusable if there is no database."""

    def open_store() -> Store:
        return open_storage(options.storage)

    first = open_store()
    bell = first.bells.listen_api()
    first.close()
    readers = Readers(open_store)
    writer = Writer(open_store)
    broadcaster = Broadcaster(
        readers, bell, lambda store: overview(store, options), lambda store: hello(store, options)
    )
    start = StartWatch(readers, lambda store: workers(store, options))
    readers.start()
    writer.start()
    watching = asyncio.create_task(start.run())
    try:
        yield Services(
            options,
            token,
            configuration,
            readers,
            writer,
            broadcaster,
            TypesCache(readers),
            start,
        )
    finally:
        watching.cancel()
        await broadcaster.close()
        await writer.close()
        await readers.close()
