"""An AsyncClient lets the event loop go on, whatever the database or the server does."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orpheus import AsyncClient
from orpheus.client import JobRequest, WaitTimedOut
from orpheus.shared.storage import open_store
from tests.api.conftest import Running


@pytest.fixture(params=["database", "http"])
def where(request: pytest.FixtureRequest, api: Running, config: Path) -> dict[str, str]:
    if request.param == "database":
        return {"config": str(config)}
    return {"url": f"http://127.0.0.1:{api.port}"}


def test_the_loop_goes_on_while_the_database_is_locked(where: dict[str, str], url: str) -> None:
    """If it did not, nothing would release the lock, and the submission would fail."""

    async def main() -> int:
        other = open_store(url)
        async with AsyncClient(**where) as client:
            await client.submit("add")
            with other.write(durable=False):
                waiting = asyncio.create_task(client.submit("add"))
                for _ in range(20):
                    await asyncio.sleep(0.005)
                assert not waiting.done()
            other.close()
            return (await waiting).id

    assert asyncio.run(main()) == 2


def test_many_tasks_share_a_client_and_many_wait(where: dict[str, str], api: Running) -> None:
    async def main() -> set[bool]:
        async with AsyncClient(**where) as client:
            jobs = await asyncio.gather(*(client.submit("add") for _ in range(50)))
            waiting = [asyncio.create_task(client.wait(job, timeout=60)) for job in jobs]
            await asyncio.sleep(0)
            for _ in range(50):
                await asyncio.to_thread(api.run_one)
            return {job.ended for job in await asyncio.gather(*waiting)}

    assert asyncio.run(main()) == {True}


def test_a_wait_is_cancelled_with_its_task(where: dict[str, str]) -> None:
    async def main() -> None:
        async with AsyncClient(**where) as client:
            job = await client.submit("add")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.wait(job)
            with pytest.raises(WaitTimedOut):
                await client.wait(job, timeout=0)

    asyncio.run(main())


def test_jobs_are_iterated_or_awaited(where: dict[str, str], api: Running) -> None:
    async def main() -> None:
        async with AsyncClient(**where) as client:
            ids = await client.submit_many([JobRequest("add")] * 3)
            assert [job.id async for job in client.jobs()] == ids[::-1]
            assert [job.id for job in await client.jobs(limit=2)] == ids[:0:-1]
            jobs: AsyncIterator[object] = aiter(client.jobs())
            assert await anext(jobs) == await client.get(ids[-1])

    asyncio.run(main())
