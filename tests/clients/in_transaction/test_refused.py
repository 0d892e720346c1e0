"""What cannot be done in an application's transaction, and connections that cannot be used."""

import asyncio
import sqlite3  # noqa: TID251 - what applications use
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from orpheus import AsyncClient, Client
from orpheus.client import DatabaseUnusable, JobRequest
from orpheus.client.steps import Use
from tests.clients.in_transaction.conftest import Jobs

ROOT = Path(__file__).parents[3]
DOCUMENTED = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
GRANTS = DOCUMENTED.partition("```sql\n")[2].partition("```")[0]


@pytest.mark.parametrize(
    "method", ["wait", "events", "why", "cancel", "retry", "run_now", "delete"]
)
def test_what_needs_the_commit_or_changes_a_job_is_refused(
    connection: Any, client: Client, jobs: Jobs, method: str
) -> None:
    job = client.submit(jobs.new())
    with pytest.raises(RuntimeError, match=rf"^{method}: .*with a Client\(\) of its own"):
        getattr(client, method)(job)
    with pytest.raises(RuntimeError, match=r"^events: .*with a Client"):
        next(client.follow(job))
    with pytest.raises(RuntimeError, match=r"^queues: .*with a Client"):
        client.queues()
    with pytest.raises(RuntimeError, match=r"^schedules.put: .*hold up every schedule"):
        client.schedules.put("nightly", job="add", every=60)
    with pytest.raises(RuntimeError, match=r"^schedules.delete: .*hold up every schedule"):
        client.schedules.delete("nightly")
    with pytest.raises(RuntimeError, match=r"^signal: .*hold up their workers"):
        client.signal("approved", 42)
    replacing = jobs.new(unique_key=jobs.queue, on_duplicate="replace")
    with pytest.raises(RuntimeError, match=r'^on_duplicate="replace": .*would lock the job'):
        client.submit_many([replacing])
    connection.commit()
    assert jobs.ids() == [job.id]


def test_reading_sees_what_the_transaction_sees(
    connection: Any, client: Client, jobs: Jobs
) -> None:
    job = client.submit(jobs.new(tags=["a"]))
    assert client.get(job) == job
    assert [one.id for one in client.jobs(queue=jobs.queue, status="pending")] == [job.id]
    assert client.logs(job) == []
    assert [node.id for node in client.graph(job).nodes] == [job.id]
    assert client.schedules() == []
    connection.rollback()
    with pytest.raises(LookupError, match=f"there is no job {job.id}"):
        client.get(job)
    connection.rollback()
    connection.read_only = True
    assert list(client.jobs(queue=jobs.queue)) == []
    with pytest.raises(DatabaseUnusable, match="read-only transaction"):
        client.submit(jobs.new())


@pytest.mark.parametrize(
    "make",
    [
        lambda: sqlite3.connect(":memory:"),
        lambda: create_engine("sqlite://", poolclass=NullPool).connect(),
        lambda: Session(create_engine("sqlite://")),
        object,
    ],
    ids=["sqlite3", "Connection", "Session", "something else"],
)
def test_any_other_connection_is_refused_and_outboxes_are_named(make: Callable[[], Any]) -> None:
    made = make()
    with pytest.raises(TypeError, match=r"SQLite.*write the job into an outbox.*docs/outbox.md"):
        Client(connection=made).submit("add")
    with pytest.raises(TypeError):
        AsyncClient(connection=made)
    getattr(made, "close", int)()


def test_a_connection_is_of_the_kind_that_the_client_is(
    connection: Any, application_url: str
) -> None:
    with pytest.raises(TypeError, match=r"is not asynchronous: use Client\(connection=…\)"):
        AsyncClient(connection=connection)

    async def work() -> None:
        awaited = await psycopg.AsyncConnection.connect(application_url)
        engine = create_async_engine(application_url.replace("postgresql:", "postgresql+psycopg:"))
        async with awaited, engine.connect() as of_sqlalchemy:
            for one in (awaited, of_sqlalchemy):
                with pytest.raises(TypeError, match=r"is asynchronous: use AsyncClient\(conn"):
                    Client(connection=one)
        await engine.dispose()

    asyncio.run(work())


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("options", [{"url": "http://127.0.0.1:1"}, {"token": "secret"}])
def test_a_server_and_a_connection_exclude_each_other(
    connection: Any, kind: Any, options: Any
) -> None:
    with pytest.raises(ValueError, match=r"connection: .*not both"):
        kind(connection=connection, **options)


def test_a_closed_client_says_so_and_leaves_the_connection_open(
    connection: Any, jobs: Jobs
) -> None:
    with Client(connection=connection) as client:
        job = client.submit(jobs.new())
    with pytest.raises(RuntimeError, match="closed"):
        client.submit(jobs.new())
    connection.commit()
    assert jobs.ids() == [job.id]


def test_defaults_and_limits_are_those_of_the_configuration_as_it_is_now(
    connection: Any, jobs: Jobs, folder: Path
) -> None:
    def submitted(**options: Any) -> int:
        return Client(connection=connection, **options).submit(jobs.new()).max_retries

    assert submitted() == 3
    (folder / "config").mkdir()
    (folder / "config" / "orpheus.toml").write_text("[jobs]\nmax_retries = 7\n")
    assert submitted() == 7
    (folder / "config" / "orpheus.toml").write_text("[jobs]\nmax_retries = 11\n")
    assert submitted() == 11
    (folder / "other.toml").write_text("[jobs]\nmax_retries = 5\n")
    assert submitted(config="other.toml") == 5


def test_a_client_that_is_kept_refuses_a_schema_that_became_newer(
    connection: Any, client: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.shared.storage.postgres.application._LOOK_EVERY_S", 0.0)
    client.submit(jobs.new())
    connection.execute("INSERT INTO orpheus.schema_migrations VALUES (999, 'later', 1)")
    with pytest.raises(DatabaseUnusable, match="schema 999, newer than this Orpheus"):
        client.submit(jobs.new())
    connection.rollback()


def test_a_database_without_our_schema_is_told(
    application_url: str,
) -> None:
    with psycopg.connect(application_url.replace("/application", "/postgres")) as elsewhere:
        for _ in range(2):
            with pytest.raises(DatabaseUnusable, match=r"no schema `orpheus` in the database of"):
                Client(connection=elsewhere).submit(JobRequest("add"))
        elsewhere.execute("SELECT 1")


def test_the_documented_grants_are_enough_and_needed(
    connect: Callable[..., Any], application_url: str, jobs: Jobs
) -> None:
    admin = connect(autocommit=True)
    admin.execute("DROP ROLE IF EXISTS shop; CREATE ROLE shop LOGIN")
    with psycopg.connect(application_url.replace("orpheus@", "shop@")) as connection:
        client = Client(connection=connection)
        with pytest.raises(DatabaseUnusable, match="permission denied for schema orpheus"):
            client.submit(jobs.new())
        admin.execute(GRANTS)
        one = client.submit(jobs.new(unique_key=jobs.queue, concurrency_key="k", tags=["a"]))
        large = client.submit("add", {"text": "x" * 5_000}, queue=jobs.queue, depends_on=[one])
        many = client.submit_many([jobs.new(ref="one"), jobs.new(depends_on=["one"])])
        assert client.get(large).payload == {"text": "x" * 5_000}
        assert client.logs(one) == []
        connection.commit()
    assert jobs.ids() == [one.id, large.id, *many]
    jobs.link()
    admin.execute("DROP OWNED BY shop; DROP ROLE shop")


def test_a_submission_in_a_signal_handler_is_refused_inside_of_another_and_of_a_statement(
    connection: Any, client: Client, jobs: Jobs
) -> None:
    refused: list[str] = []

    def interrupted(*_: object) -> str:
        with pytest.raises(RuntimeError, match="in use by the call that was interrupted") as raised:
            client.submit(jobs.new())
        refused.append(str(raised.value))
        return ""

    client._calls.submit = lambda request: (yield Use(interrupted))  # type: ignore[method-assign]
    client.submit(jobs.new())
    assert refused
    del client._calls.submit
    with connection.lock, pytest.raises(DatabaseUnusable, match="not finished another statement"):
        client.submit(jobs.new())
    client.submit(jobs.new())
    connection.commit()
    assert len(jobs.ids()) == 1
