"""The same with `await`: the event loop executes the statements, and nothing stays behind."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)

from orpheus import AsyncClient, Client, Job
from orpheus.client import InvalidJob
from orpheus.shared.storage import Store
from tests.clients.in_transaction.conftest import Jobs, Orders
from tests.machine import wait_until

Connect = Callable[..., Any]


@pytest.fixture
def run(application_url: str, store: Store) -> Callable[..., None]:
    """Runs a coroutine with an asynchronous connection, which is closed after it."""

    def run_with_one(work: Callable[[Any], Coroutine[Any, Any, None]], **options: Any) -> None:
        async def connected() -> None:
            connection = await psycopg.AsyncConnection.connect(application_url, **options)
            try:
                await work(connection)
            finally:
                await connection.close()

        asyncio.run(connected())

    return run_with_one


def test_a_job_exists_if_and_only_if_the_application_commits(
    run: Callable[..., None], jobs: Jobs
) -> None:
    async def work(connection: Any) -> None:
        client = AsyncClient(connection=connection)
        await client.submit(jobs.new())
        await connection.rollback()
        job = await client.submit(jobs.new(unique_key=jobs.queue, tags=["a", "b"]))
        async with connection.transaction(force_rollback=True):
            await client.submit(jobs.new())
        with pytest.raises(InvalidJob):
            await client.submit(jobs.new("strict"))
        more = await client.submit_many(
            [jobs.new(ref="one", tags=["a", "b"]), jobs.new(depends_on=["one"])]
        )
        assert jobs.ids() == []
        assert [one.id async for one in client.jobs(queue=jobs.queue)] == [*more[::-1], job.id]
        assert (await client.get(job)).unique_key == jobs.queue
        await connection.commit()
        assert jobs.ids() == [job.id, *more]
        await client.close()
        await connection.execute("SELECT 1")

    run(work)


def test_tasks_may_submit_at_once(run: Callable[..., None], jobs: Jobs) -> None:
    async def work(connection: Any) -> None:
        client = AsyncClient(connection=connection)
        wanted = [client.submit(jobs.new()) for _ in range(8)]
        wanted.append(client.submit(jobs.new("strict")))
        found = await asyncio.gather(*wanted, return_exceptions=True)
        assert isinstance(found.pop(), InvalidJob)
        await connection.commit()
        assert jobs.ids() == sorted(job.id for job in found if isinstance(job, Job))
        assert len(jobs.ids()) == 8

    run(work)


def test_a_cancelled_call_leaves_the_connection_to_the_application(
    run: Callable[..., None], connect: Connect, jobs: Jobs, orders: Orders
) -> None:
    holder = connect()
    Client(connection=holder).submit(jobs.new(unique_key=jobs.queue))

    async def work(connection: Any) -> None:
        client = AsyncClient(connection=connection)
        waiting = asyncio.create_task(client.submit(jobs.new(unique_key=jobs.queue)))
        watching, pid = connect(autocommit=True), connection.info.backend_pid
        sql = f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND wait_event_type = 'Lock'"
        waits: Callable[[], Any] = lambda: watching.execute(sql).fetchone()  # noqa: E731
        await asyncio.to_thread(wait_until, waits, "the submission to wait for the key")
        waiting.cancel()
        await asyncio.sleep(0)
        assert not waiting.done(), "it would execute something while the application does"
        holder.rollback()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await connection.rollback()
        await connection.execute("INSERT INTO orders (queue) VALUES (%s)", (jobs.queue,))
        await connection.commit()

    run(work)
    assert (jobs.ids(), orders.count()) == ([], 1)


@pytest.mark.parametrize("kind", ["connection", "session", "scoped session"])
def test_the_transaction_may_be_of_sqlalchemy(application_url: str, jobs: Jobs, kind: str) -> None:
    async def work() -> None:
        engine = create_async_engine(application_url.replace("postgresql:", "postgresql+psycopg:"))
        sessions = async_scoped_session(async_sessionmaker(engine), asyncio.current_task)
        kinds: dict[str, Callable[[], Any]] = {
            "session": lambda: AsyncSession(engine),
            "scoped session": lambda: sessions,
        }
        made: Any = kinds.get(kind, engine.connect)()
        async with contextlib.aclosing(made) if kind == "scoped session" else made as one:
            client = AsyncClient(connection=one)
            job = await client.submit(jobs.new())
            assert jobs.ids() == []
            await one.commit()
            assert jobs.ids() == [job.id]
            await client.submit(jobs.new())
            await one.rollback()
            session = sessions() if one is sessions else one
            with pytest.raises(TypeError, match="is asynchronous: use AsyncClient"):
                await session.run_sync(lambda sync: Client(connection=sync).submit(jobs.new()))
        await engine.dispose()
        assert jobs.ids() == [job.id]

    asyncio.run(work())
