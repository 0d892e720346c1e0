"""Every test of this folder runs against each backend, unless it is marked with `backends`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.domain.jobs import Holder, JobError, Lease, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store, TypeRow, open_store
from tests.databases import make_database

BACKENDS = ("sqlite", "postgresql")
TTL_MS = 30_000
Submit = Callable[..., int]
LeaseSome = Callable[..., list[Lease]]
End = Callable[..., bool]
Fail = Callable[..., int]


def ids(leases: list[Lease]) -> list[int]:
    return [lease.job_id for lease in leases]


class FakeClock:
    """A clock that stands still until told to move."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000_000
        self.monotonic = 5_000_000
        self.boot = "boot-1"

    @property
    def boot_id(self) -> str:
        return self.boot

    def wall_ms(self) -> int:
        return self.wall

    def monotonic_ms(self) -> int:
        return self.monotonic

    def advance(self, milliseconds: int) -> None:
        """Let both clocks run."""
        self.wall += milliseconds
        self.monotonic += milliseconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a database with one of each backend."""
    if "url" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("backends")
        backends = marker.args if marker is not None else BACKENDS
        metafunc.parametrize("url", backends, indirect=True)


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each backend; a SQLite file is not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/orpheus.db"
    return str(request.getfixturevalue("postgresql_url"))


class Opener(Protocol):
    def __call__(self) -> Store: ...


@pytest.fixture
def another(url: str, clock: FakeClock, tmp_path: Path) -> Iterator[Opener]:
    """Opens one more store on the same database, as another process would."""
    opened: list[Store] = []

    def open_another() -> Store:
        if url.startswith("sqlite"):
            make_database(url)
        opened.append(
            open_store(
                url,
                create=True,
                clock=clock,
                state_dir=str(tmp_path / "state") if url.startswith("postgresql") else "",
                pools={"default": ("*",), "mail": ("mail",)},
                backoff=BackoffRules(base_s=1, factor=2, max_s=600, jitter=0),
            )
        )
        return opened[-1]

    yield open_another
    for store in opened:
        store.close()


@pytest.fixture
def store(another: Opener) -> Store:
    return another()


@pytest.fixture
def holder() -> Holder:
    return Holder(slot="default-1", incarnation="life-1", pid=101)


@pytest.fixture
def submit(store: Store) -> Callable[..., int]:
    """Submits one job with the given fields; its id."""

    def submit_one(type: str = "noop", **fields: object) -> int:
        return store.jobs.submit(NewJob(type, **fields)).job.id  # type: ignore[arg-type]

    return submit_one


@pytest.fixture
def lease(store: Store, holder: Holder) -> Callable[..., list[Lease]]:
    """Leases up to `limit` jobs."""

    def lease_some(limit: int = 1, queues: tuple[str, ...] = ("*",)) -> list[Lease]:
        return store.leases.lease(holder, queues, limit, TTL_MS)

    return lease_some


@pytest.fixture
def end(store: Store) -> Callable[..., bool]:
    """Ends a lease; whether it was still held."""

    def end_one(lease: Lease, ending: Ending = Ending.SUCCEEDED, **fields: object) -> bool:
        result = "null" if ending is Ending.SUCCEEDED else None
        error = (
            JobError("ValueError", "it broke", "Traceback …")
            if ending in (Ending.FAILED, Ending.FAILED_PERMANENTLY, Ending.TIMED_OUT)
            else None
        )
        finished = Finished(lease, ending, **{"result": result, "error": error, **fields})  # type: ignore[arg-type]
        return lease.token not in store.leases.finish([finished])

    return end_one


@pytest.fixture
def fail(
    submit: Callable[..., int], lease: Callable[..., list[Lease]], end: Callable[..., bool]
) -> Callable[..., int]:
    """Lets a job of a queue fail for good; its id."""

    def fail_one(queue: str = "default", type: str = "resize") -> int:
        job_id = submit(type, queue=queue)
        (one,) = lease(queues=(queue,))
        assert end(one, Ending.FAILED_PERMANENTLY)
        return job_id

    return fail_one


@pytest.fixture
def statements(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each statement that the store executes, and each transaction as "BEGIN"."""
    seen: list[str] = []
    for name in ("all", "one", "run", "run_many", "send"):
        original = getattr(store._database, name)

        def note(sql: str, *values: object, original: Any = original) -> Any:
            seen.append(sql)
            return original(sql, *values)

        monkeypatch.setattr(store._database, name, note)
    write = store._database.write

    def begin(*, durable: bool) -> Any:
        seen.append("BEGIN")
        return write(durable=durable)

    monkeypatch.setattr(store._database, "write", begin)
    return seen


@pytest.fixture
def notify(store: Store) -> None:
    """The type of the jobs of alerts is known."""
    store.types.replace([TypeRow("notify", '{"type": "object"}', None, None, None, "")])


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is logged of alerts."""
    lines: list[str] = []
    noting = SimpleNamespace(
        **dict.fromkeys(
            ("info", "warning", "error", "exception"), lambda event, **_: lines.append(event)
        )
    )
    monkeypatch.setattr("orpheus.shared.operations.alerts.log", noting)
    return lines
