"""What routes work with: the writer, the readers, the broadcaster, and the job types.

They are opened before the server starts and closed after it, so a route can always use them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import msgspec
from starlette.requests import HTTPConnection

from orpheus.api.database.long_calls import LongCalls
from orpheus.api.database.readers import Readers
from orpheus.api.database.shared_read import SharedRead
from orpheus.api.database.write_probe import WriteProbe
from orpheus.api.database.writer import Writer
from orpheus.api.http.auth import Key
from orpheus.api.start_watch import StartWatch
from orpheus.api.stream.broadcaster import Broadcaster
from orpheus.shared.domain.handover import ApiHandover
from orpheus.shared.domain.hidden import NOTHING_HIDDEN, Hidden
from orpheus.shared.explain.answers import counts_of
from orpheus.shared.explain.facts import Facts, read
from orpheus.shared.messages.job_types import job_type_of
from orpheus.shared.messages.worker_list import workers_of
from orpheus.shared.messages.workers import Worker, summary_of
from orpheus.shared.operations.configuration import ConfigurationEditor
from orpheus.shared.storage import Store, TypeRow, open_storage

T = TypeVar("T")

_TYPES_FRESH_S = 1.0


SubmitSpan = Callable[[str | None, str | None], AbstractContextManager[str | None]]
"""Records the submission of a job of a type, or of a batch (None), as a part of a trace; gives the
`traceparent` of what is submitted.
"""


class TypesCache:
    """The job types, read again when they are a second old, or when one is missing."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._types: dict[str, TypeRow] = {}
        self._read_at_s = float("-inf")
        self.hidden = NOTHING_HIDDEN
        """Which fields of their jobs are hidden, as of when they were read."""

    async def with_names(self, names: Iterable[object]) -> dict[str, TypeRow]:
        """Return every type by name, read again if one of `names` is not known."""
        loop = asyncio.get_running_loop()
        is_fresh = loop.time() - self._read_at_s < _TYPES_FRESH_S
        if not is_fresh or not all(name in self._types for name in names):
            rows, self.hidden = await self._readers.read(_types_and_rules)
            self._types = {row.name: row for row in rows}
            self._read_at_s = loop.time()
        return self._types


def _types_and_rules(store: Store) -> tuple[list[TypeRow], Hidden]:
    with store.snapshot():
        return store.types.all(), store.hidden.rules()


class Condition(msgspec.Struct, frozen=True):
    """The facts that readiness is judged by."""

    trouble: str | None
    """Why no write can begin; None if one can."""
    free_bytes: int | None
    workers: list[Worker]


class Services(msgspec.Struct, eq=False):
    """The services of one application."""

    options: ApiHandover
    keys: Sequence[Key]
    """The tokens, of which every caller must send one; none: no token is needed."""
    configuration: Callable[[], ConfigurationEditor]
    """Returns the editor for GET and PUT /config, made at the first call as it needs much code."""
    readers: Readers
    writer: Writer
    broadcaster: Broadcaster
    types: TypesCache
    start: StartWatch
    condition: SharedRead[Condition]
    long_calls: LongCalls
    submit_span: SubmitSpan = lambda _, traceparent: nullcontext(traceparent)
    masking: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)
    """Held while versions of the configuration are masked, which takes much CPU time."""

    def with_own_store(self, work: Callable[[Store], T]) -> T:
        """Call `work` with a store of its own, outside of any group of writes. Blocks."""
        with contextlib.closing(open_storage(self.options.storage)) as store:
            return work(store)

    def release_all(self) -> None:
        """Let every waiting request and every long call be answered: the server is stopping."""
        self.broadcaster.release_all()
        self.long_calls.stop_soon()


def overview(store: Store, options: ApiHandover) -> dict[str, Any]:
    """Return what a heartbeat of the stream carries: it is sent often, so without earlier exits."""
    shown = [summary_of(worker) for worker in workers(store, options)]
    return {"counts": counts_of(store.stats.counts()), "workers": shown}


def greeting(store: Store, options: ApiHandover) -> dict[str, Any]:
    """Return what a hello of the stream carries besides its seq."""
    types = [job_type_of(row, options.defaults) for row in store.types.all()]
    return {**overview(store, options), "types": types}


def condition(store: Store, options: ApiHandover, probe: WriteProbe) -> Condition:
    """Return the condition of the database and the workers."""
    free_bytes = store.maintenance.free_bytes()
    return Condition(probe.trouble(store), free_bytes, workers(store, options))


def workers(store: Store, options: ApiHandover) -> list[Worker]:
    """Return every slot, and every process without one."""
    host = options.host_name if options.supervised else None
    return workers_of(store, supervised_on=host, beat_timeout_s=options.beat_timeout_s)


def read_facts(store: Store, options: ApiHandover, only: Collection[str] | None = None) -> Facts:
    """Return what explanations need; `only`: about these queues. Call it outside a snapshot."""
    slots = workers(store, options)  # it may try whether a write can begin
    limits_s = options.beat_timeout_s, options.waits_long_s
    return read(store, slots, options.storage.pools, *limits_s, only=only)


def services_of(connection: HTTPConnection) -> Services:
    """Return the services of the application that answers `connection`."""
    services = connection.app.state.services
    assert isinstance(services, Services)
    return services


@contextlib.asynccontextmanager
async def open_services(
    options: ApiHandover,
    *,
    keys: Sequence[Key],
    configuration: Callable[[], ConfigurationEditor],
) -> AsyncIterator[Services]:
    """Open everything on the running loop. Raises DatabaseUnusable if there is no database."""

    def open_store() -> Store:
        return open_storage(options.storage)

    first = open_store()
    bell = first.bells.listen_api()
    first.close()
    readers = Readers(open_store)
    writer = Writer(open_store)
    broadcaster = Broadcaster(
        readers,
        bell,
        lambda store: overview(store, options),
        lambda store: greeting(store, options),
    )
    probe = WriteProbe()
    long_calls = LongCalls(open_store)
    start = StartWatch(options.host_name, supervised=options.supervised)
    readers.start()
    writer.start()
    watching = asyncio.create_task(start.run(readers, lambda store: workers(store, options)))
    try:
        yield Services(
            options,
            keys,
            configuration,
            readers,
            writer,
            broadcaster,
            TypesCache(readers),
            start,
            SharedRead(lambda: readers.read(lambda store: condition(store, options, probe))),
            long_calls,
        )
    finally:
        watching.cancel()
        await long_calls.close()
        await broadcaster.close()
        await writer.close()
        await readers.close()
