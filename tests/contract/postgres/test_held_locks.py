"""What another transaction holds is waited for by those who need it, and by nobody else."""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from orpheus.api.database.writer import Writer
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import Contended
from orpheus.shared.storage import Store, Submitted, open_store_in
from tests.contract.conftest import Opener
from tests.machine import PATIENCE_S

pytestmark = pytest.mark.backends("postgresql")


def submit_each(store: Store, new: list[NewJob]) -> list[Submitted]:
    return store.jobs.submit_each(new)


def waiting_up_to(another: Opener, limit_s: float) -> Opener:
    """Open stores that wait so long for a lock."""

    def open_another() -> Store:
        opened = another()
        opened._database._connection.execute(f"SET lock_timeout = '{limit_s}s'")  # type: ignore[attr-defined]
        return opened

    return open_another


def run(another: Opener, test: Callable[[Writer], Awaitable[None]]) -> None:
    async def run_inside() -> None:
        writer = Writer(another)
        writer.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await test(writer)
        finally:
            await writer.close()

    asyncio.run(run_inside())


def test_who_needs_no_key_of_an_open_transaction_does_not_wait_for_its_end(
    store: Store, another: Opener, application: psycopg.Connection
) -> None:
    inside = open_store_in(application, lambda done: done)
    own = inside.jobs.submit(NewJob("report", unique_key="daily")).job.id
    needed = store.jobs.submit(NewJob("noop")).job.id
    store.jobs.cancel(needed)
    inside.jobs.submit(NewJob("report", depends_on=(needed,)))

    async def write(writer: Writer) -> None:
        def started(new: NewJob) -> "asyncio.Task[Submitted]":
            return asyncio.create_task(writer.write_with_others(submit_each, new))

        held_up = [started(NewJob("report", unique_key="daily")) for _ in range(20)]
        deleted = asyncio.create_task(writer.write(lambda s: s.jobs.delete(needed)))
        among_them = [started(NewJob("noop")) for _ in range(5)]
        assert {one.created for one in await asyncio.gather(*among_them)} == {True}
        assert not any(one.done() for one in held_up) and not deleted.done()
        assert (await started(NewJob("noop"))).created
        assert writer.trouble is None
        application.commit()
        assert {one.job.id for one in await asyncio.gather(*held_up)} == {own}
        await asyncio.gather(deleted, return_exceptions=True)

    run(waiting_up_to(another, PATIENCE_S), write)
    assert store.maintenance.verify() == []


def test_who_has_waited_in_vain_is_told_so_and_nobody_else(
    store: Store, url: str, another: Opener, application: psycopg.Connection
) -> None:
    open_store_in(application, lambda done: done).jobs.submit(NewJob("report", unique_key="daily"))

    async def write(writer: Writer) -> None:
        def write_keyed(inside: Store) -> object:
            return inside.jobs.submit(NewJob("report", unique_key="daily"))

        held_up = [asyncio.create_task(writer.write(write_keyed)) for _ in range(3)]
        plain = writer.write(lambda inside: inside.jobs.submit(NewJob("noop")).created)
        refused = await asyncio.gather(*held_up, plain, return_exceptions=True)
        assert [type(one) for one in refused] == [Contended] * 3 + [bool]
        application.rollback()
        assert await writer.write(write_keyed)

    run(waiting_up_to(another, 0.3), write)


def test_who_only_looks_for_an_answer_waits_for_no_one_who_keeps_it(
    store: Store, another: Opener
) -> None:
    reader = another()
    with store.write(durable=False):
        assert store.idempotency.find("again") is None
        with reader.time_limit(PATIENCE_S):
            assert reader.idempotency.find("again") is None
