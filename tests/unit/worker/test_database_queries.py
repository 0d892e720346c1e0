"""What a worker asks the database about its own code."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from orpheus import job
from orpheus.config.handovers import for_worker
from orpheus.config.settings import Settings
from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.processes import Role
from orpheus.shared.job_types import registry
from orpheus.shared.job_types.describe import type_row
from orpheus.shared.job_types.registry import load_job_types
from orpheus.shared.process.host import own_host
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store, TypeRow, open_storage
from orpheus.worker.database_queries import DatabaseQueries
from tests.databases import make_database

NEWER = '{"properties": {"order": {}, "currency": {}}, "additionalProperties": false}'
PAYLOAD = '{"order": 1, "currency": "USD"}'
MakeLease = Callable[..., Lease]


class Worker:
    """A worker whose code has `pay(order: int)`, on a database of its own."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.type = load_job_types([])["pay"]
        self.row = type_row(self.type.describe())
        self.newer = replace(self.row, schema=NEWER)
        self.loaded = {"pay": self.row.version}
        self.store = store
        self.queries = DatabaseQueries(for_worker(settings, "default"), self.loaded)

    def describe(self, of_host: TypeRow, of_worker: TypeRow | None = None) -> None:
        """Describe the type as the host has it, and another worker that is still to be replaced."""
        self.store.processes.forget("other")
        if of_worker is not None:
            build = self.store.types.replace([of_worker])
            clock = self.store.own_clock
            record = own_record(clock, own_host(), Role.WORKER, "a-1", "other", build=build)
            self.store.processes.register(record)
        self.store.types.replace([of_host])


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setattr(registry, "_registry", {})

    @job
    def pay(order: int) -> None: ...

    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    make_database(url)
    settings = Settings.model_validate({"database": {"url": url}})
    store = open_storage(for_worker(settings, "default").storage)
    made = Worker(store, settings)
    yield made
    made.queries.close()
    store.close()


def test_only_a_payload_that_another_version_takes_is_for_other_code(
    worker: Worker, make_lease: MakeLease
) -> None:
    def asked(payload: str = PAYLOAD, **fields: object) -> str | None:
        lease = make_lease(type="pay", payload=payload, **fields)
        return worker.queries.other_readers(lease, worker.type)

    worker.describe(worker.row, worker.newer)
    assert asked() == worker.newer.version
    assert asked('{"ordre": 1}') is None, "none takes it"
    assert asked(versions=f"0 {worker.newer.version}") == worker.newer.version
    assert asked(versions=worker.row.version) is None, "the other one could not read it either"
    worker.describe(worker.row)
    assert asked() is None


def test_a_worker_whose_code_is_not_what_was_described_says_so_from_then_on(
    worker: Worker, make_lease: MakeLease
) -> None:
    """Its files changed before it started, and nobody has described them yet."""
    lease = make_lease(type="pay", payload=PAYLOAD)
    worker.describe(worker.newer)
    worker.loaded["pay"] = worker.newer.version
    assert worker.queries.other_readers(lease, worker.type) == worker.newer.version
    assert worker.loaded == {"pay": worker.row.version}
    assert worker.queries.other_readers(lease, None) == worker.newer.version
    assert worker.loaded == {}


def test_a_query_in_a_signal_handler_is_refused_and_does_not_wait_for_what_it_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    make_database(url)
    settings = Settings.model_validate({"database": {"url": url}})
    queries = DatabaseQueries(for_worker(settings, "default"), {})
    opened = queries._store()

    def interrupted() -> Store:
        with pytest.raises(RuntimeError, match="the context is in use by the call that was"):
            queries.dependencies(1)
        return opened

    monkeypatch.setattr(queries, "_store", interrupted)
    assert queries.dependencies(1) == []
    queries.close()
