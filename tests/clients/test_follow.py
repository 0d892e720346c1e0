"""`client.follow`: every event and log line once, in order, whatever happens in between."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orpheus import AsyncClient, Client
from orpheus.client import Event, Followed, LogLine, NotFound, Progress, WaitTimedOut
from orpheus.shared.domain import jobs as domain
from orpheus.shared.domain.handover import ApiHandover
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store, local_actor, open_storage
from tests.api.conftest import ADD, HOLDER
from tests.clients.test_proxies import proxy
from tests.databases import make_database

__all__ = ["proxy"]  # the fixture

Follow = Callable[..., Iterator[Followed]]
BROKE = domain.JobError("ValueError", "it broke", "Traceback …")
KINDS = ("sqlite", "postgresql", "http")


@pytest.fixture(params=[*KINDS, *(f"{kind} awaited" for kind in KINDS)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, url: str, request: pytest.FixtureRequest) -> str:
    """The database of the configuration."""
    is_postgresql = kind.startswith("postgresql")
    return str(request.getfixturevalue("postgresql_url")) if is_postgresql else url


@pytest.fixture
def store(kind: str, options: ApiHandover, request: pytest.FixtureRequest) -> Iterator[Store]:
    """The store of a worker. No other program runs, unless the client needs the API."""
    if kind.startswith("http"):
        yield request.getfixturevalue("api").store
        return
    if kind.startswith("sqlite"):
        make_database(options.storage.url)
    opened = open_storage(options.storage)
    opened.types.replace([ADD])
    yield opened
    opened.close()


@pytest.fixture
def follow(
    kind: str, store: Store, config: Path, request: pytest.FixtureRequest
) -> Iterator[Follow]:
    """`follow` of a client of each kind, as an iterator. Over HTTP it speaks through a proxy."""
    given: dict[str, Any] = {"config": config}
    if kind.startswith("http"):
        given = {"url": request.getfixturevalue("proxy").url}
    with ExitStack() as stack:
        if not kind.endswith("awaited"):
            yield stack.enter_context(Client(**given)).follow
            return
        runner = stack.enter_context(asyncio.Runner())
        client = AsyncClient(**given)

        def awaited(*of: Any, **options: Any) -> Iterator[Followed]:
            followed = client.follow(*of, **options)

            async def next_of() -> Followed | None:
                return await anext(followed, None)

            return iter(lambda: runner.run(next_of()), None)

        yield awaited
        runner.run(client.close())


def told(followed: Followed) -> str | float | None:
    """What a test compares."""
    if isinstance(followed, Event):
        return followed.kind
    return followed.line if isinstance(followed, LogLine) else followed.progress


def submit(store: Store) -> int:
    return store.jobs.submit(NewJob(type="add", payload="{}")).job.id


def lease(store: Store) -> domain.Lease:
    (leased,) = store.leases.lease(HOLDER, ("*",), 1, 30_000)
    return leased


def write(store: Store, held: domain.Lease, attempt: int, *lines: str) -> None:
    """Log some lines as a worker would."""
    new = [domain.NewLine(1_700_000_000_123, "info", line, "{}") for line in lines]
    assert store.logs.append(held.job_id, held.token, attempt, new)


def finish(store: Store, held: domain.Lease, *, fails: bool = False) -> None:
    """End an attempt as a worker would; after one that fails, another is due."""
    finished = Finished(held, Ending.SUCCEEDED, result="null")
    if fails:
        finished = Finished(held, Ending.FAILED, error=BROKE, retry_ms=0)
    assert not store.leases.finish([finished])


def test_a_job_is_followed_through_a_retry_to_its_end(follow: Follow, store: Store) -> None:
    job_id = submit(store)
    followed = follow(job_id, timeout=60)
    assert told(next(followed)) == "job.enqueued"
    held = lease(store)
    assert told(next(followed)) == "job.started"
    write(store, held, 1, "one", "two")
    assert store.leases.progress(held.job_id, held.token, 0.5, "half")
    assert [told(next(followed)) for _ in range(3)] == ["one", "two", 0.5]
    write(store, held, 1, "three")
    finish(store, held, fails=True)
    held = lease(store)
    write(store, held, 2, "four")
    assert store.leases.progress(held.job_id, held.token, 1.0, None)
    finish(store, held)
    rest = [*followed]
    assert [told(new) for new in rest] == [
        "three", "job.retrying", "job.started", "four", 1.0, "job.done",
    ]  # fmt: skip
    assert isinstance(rest[-1], Event) and rest[-1].job.ended
    assert rest[-2] == Progress(1.0, None)
    assert [told(new) for new in follow(job_id, logs=False)] == [
        "job.enqueued", "job.started", "job.retrying", "job.started", 1.0, "job.done",
    ]  # fmt: skip


def test_what_a_worker_does_meanwhile_comes_once_and_in_order(
    follow: Follow, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages are short, and every line is a commit, so that many fall between two reads."""
    monkeypatch.setattr("orpheus.client.calls.LINES_OF_A_PAGE", 2)
    monkeypatch.setattr("orpheus.client.calls.EVENTS_OF_A_PAGE", 2)
    job_id = submit(store)

    def work() -> None:
        for attempt in range(1, 4):
            held = lease(store)
            for number in range(20):
                write(store, held, attempt, f"{attempt}.{number}")
            finish(store, held, fails=attempt < 3)

    worker = threading.Thread(target=work)
    worker.start()
    seen = [told(new) for new in follow(job_id, timeout=60)]
    worker.join()
    lines = [[f"{attempt}.{number}" for number in range(20)] for attempt in range(1, 4)]
    assert seen == [
        "job.enqueued", "job.started", *lines[0], "job.retrying",
        "job.started", *lines[1], "job.retrying", "job.started", *lines[2], "job.done",
    ]  # fmt: skip


def test_it_goes_on_where_it_was_when_the_connection_is_lost(
    kind: str, follow: Follow, store: Store, url: str, request: pytest.FixtureRequest
) -> None:
    """SQLite has no connection that can be lost."""
    job_id = submit(store)
    followed = follow(job_id, timeout=60)
    assert told(next(followed)) == "job.enqueued"
    if kind.startswith("http"):
        request.getfixturevalue("proxy").lost.extend([502] * 3)
    if kind.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    held = lease(store)
    write(store, held, 1, "one")
    finish(store, held)
    assert [told(new) for new in followed] == ["job.started", "one", "job.done"]


def test_it_ends_with_an_error_where_get_and_wait_do(follow: Follow, store: Store) -> None:
    with pytest.raises(NotFound, match="there is no job 99"):
        next(follow(99))
    with pytest.raises(NotFound, match="there is no job 0"):
        follow(0)
    job_id = submit(store)
    followed = follow(job_id, timeout="50ms")
    assert told(next(followed)) == "job.enqueued"
    with pytest.raises(WaitTimedOut, match=f"job {job_id} is pending after 0.05 s"):
        next(followed)
    followed = follow(job_id)
    assert told(next(followed)) == "job.enqueued"
    finish(store, lease(store))
    store.jobs.delete(job_id, local_actor("test", None))
    with pytest.raises(NotFound, match=f"there is no job {job_id}"):
        next(followed)


def test_it_ends_if_the_events_are_no_longer_kept(
    follow: Follow, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.shared.storage.verbs.events.Events.of_job", lambda *_: [])
    job_id = submit(store)
    held = lease(store)
    write(store, held, 1, "one")
    finish(store, held)
    assert [told(new) for new in follow(job_id, timeout=60)] == ["one"]
