"""Reads: each with a deadline, and no more of them than may wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.api.database.readers import Readers
from orpheus.api.http.problems import Refusal
from orpheus.shared.domain.handover import StorageSettings
from orpheus.shared.errors import DatabaseUnusable, ReadTookTooLong
from orpheus.shared.storage import Store, open_storage
from tests.databases import make_database

FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


@pytest.fixture
def storage(tmp_path: Path) -> StorageSettings:
    storage = StorageSettings(f"sqlite:///{tmp_path}/orpheus.db", durable=False, pools={})
    make_database(storage.url)
    return storage


def read_forever(store: Store) -> Any:
    return store._database.one(FOREVER)


def run(storage: StorageSettings, test: Callable[[Readers], Awaitable[Any]], **options: Any) -> Any:
    async def run_inside() -> Any:
        readers = Readers(lambda: open_storage(storage), **options)
        readers.start()
        try:
            return await test(readers)
        finally:
            await readers.close()

    return asyncio.run(run_inside())


def test_a_slow_read_is_stopped_and_its_reader_goes_on(storage: StorageSettings) -> None:
    async def slow(readers: Readers) -> None:
        for _ in range(3):
            with pytest.raises(ReadTookTooLong):
                await readers.read(read_forever)
        assert await readers.read(lambda store: store.stats.counts())

    run(storage, slow, threads=1, limit_s=0.1)


def test_reads_behind_slow_ones_are_answered_within_their_own_time(
    storage: StorageSettings,
) -> None:
    async def many(readers: Readers) -> float:
        began = time.monotonic()
        reads = [readers.read(read_forever) for _ in range(100)]
        results = await asyncio.gather(*reads, return_exceptions=True)
        assert all(isinstance(one, ReadTookTooLong) for one in results)
        return time.monotonic() - began

    assert run(storage, many, threads=2, limit_s=0.3) < 5  # and not 50 times 0.3 s


def test_more_than_may_wait_are_refused_at_once(storage: StorageSettings) -> None:
    async def flood(readers: Readers) -> list[Any]:
        reads = [readers.read(read_forever) for _ in range(10_000)]
        return await asyncio.gather(*reads, return_exceptions=True)

    results = run(storage, flood, threads=1, limit_s=0.2)
    refused = [one for one in results if isinstance(one, Refusal)]
    assert {one.status for one in refused} == {503}
    assert all(one.headers["Retry-After"] for one in refused)
    assert len(refused) == 10_000 - 512


def test_a_database_that_comes_back_is_found_again(storage: StorageSettings) -> None:
    path = Path(storage.url.removeprefix("sqlite:///"))
    away = path.rename(path.with_name("away"))

    async def come_back(readers: Readers) -> None:
        with pytest.raises(DatabaseUnusable):
            await readers.read(lambda store: store.stats.counts())
        away.rename(path)
        assert await readers.read(lambda store: store.stats.counts())

    run(storage, come_back)
