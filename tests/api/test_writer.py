"""Group commit: many requests in one transaction, each on its own."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.api.database.writer import Writer, commit_group
from orpheus.api.http.problems import Refusal
from orpheus.shared.domain.handover import StorageSettings
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import DatabaseBusy, InvalidJob, NotFound
from orpheus.shared.storage import Store, Submitted, open_storage
from orpheus.shared.storage.sqlite.turns import Turns
from tests.databases import make_database


class Held:
    """A writer whose thread is held inside its first request, so that the rest make one group."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self._entered = threading.Event()
        self._go_on = threading.Event()

    async def hold(self) -> "asyncio.Future[Any]":
        def wait(_: Store) -> None:
            self._entered.set()
            self._go_on.wait(10)

        held = asyncio.ensure_future(self.writer.write(wait, durable=False))
        await asyncio.to_thread(self._entered.wait, 10)
        return held

    def release(self) -> None:
        self._go_on.set()


@pytest.fixture
def storage(tmp_path: Path) -> StorageSettings:
    return StorageSettings(f"sqlite:///{tmp_path}/orpheus.db", durable=False, pools={})


@pytest.fixture
def store(storage: StorageSettings) -> Any:
    make_database(storage.url)
    store = open_storage(storage)
    yield store
    store.close()


def submit(name: str) -> Callable[[Store], int]:
    return lambda store: store.jobs.submit(NewJob(name)).job.id


async def run(storage: StorageSettings, test: Callable[[Held], Any], bound: int = 100) -> Any:
    writer = Writer(lambda: open_storage(storage), bound)
    writer.start()
    try:
        return await test(Held(writer))
    finally:
        await writer.close()


def test_a_bad_request_in_a_group_harms_no_other(storage: StorageSettings, store: Store) -> None:
    def spoil(inside: Store) -> None:
        inside.jobs.submit(NewJob("spoiled"))
        raise NotFound("not here")

    async def group(held: Held) -> list[Any]:
        first = await held.hold()
        waiting = [
            asyncio.ensure_future(held.writer.write(write))
            for write in (submit("a"), spoil, submit("b"), lambda s: s.jobs.cancel(99))
        ]
        await asyncio.sleep(0)
        held.release()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        await first
        return results

    a, spoiled, b, cancelled = asyncio.run(run(storage, group))
    assert isinstance(spoiled, NotFound) and isinstance(cancelled, NotFound)
    assert [store.jobs.get(id).type for id in (a, b)] == ["a", "b"]
    assert sum(store.stats.counts().values()) == 2
    assert [event.job_id for event in store.events.after(0, 10)] == [a, b]


def test_requests_that_do_the_same_are_one_call(storage: StorageSettings, store: Store) -> None:
    called_with: list[list[int]] = []

    def double(_: Store, values: list[int]) -> list[int]:
        called_with.append(values)
        return [2 * value for value in values]

    async def group(held: Held) -> list[int]:
        first = await held.hold()
        waiting = [
            asyncio.ensure_future(held.writer.write_with_others(double, value))
            for value in (1, 2, 3)
        ]
        await asyncio.sleep(0)
        held.release()
        await first
        return await asyncio.gather(*waiting)

    assert asyncio.run(run(storage, group)) == [2, 4, 6]
    assert called_with == [[1, 2, 3]]


def test_those_who_come_while_the_write_lock_is_waited_for_are_in_the_same_commit(
    storage: StorageSettings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = threading.Event()
    wait = Turns._wait

    def tell_and_wait(turns: Turns, tries: int) -> bool:
        waits.set()
        return wait(turns, tries)

    monkeypatch.setattr(Turns, "_wait", tell_and_wait)
    groups: list[int] = []

    def submit_each(inside: Store, new: list[NewJob]) -> list[Submitted]:
        groups.append(len(new))
        return inside.jobs.submit_each(new)

    async def group(held: Held) -> None:
        async def post() -> Submitted:
            return await held.writer.write_with_others(submit_each, NewJob("noop"))

        with store.write(durable=False):
            store.jobs.submit(NewJob("noop"))
            waiting = [asyncio.ensure_future(post())]
            await asyncio.to_thread(waits.wait)
            waiting += [asyncio.ensure_future(post()) for _ in range(2)]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)

    asyncio.run(run(storage, group))
    assert groups == [3]


def test_of_requests_that_do_the_same_only_the_bad_one_is_refused(
    storage: StorageSettings, store: Store
) -> None:
    def submit_each(inside: Store, new: list[NewJob]) -> list[Submitted]:
        return inside.jobs.submit_each(new)

    async def group(held: Held) -> list[Any]:
        first = await held.hold()
        waiting = [
            asyncio.ensure_future(held.writer.write_with_others(submit_each, new))
            for new in (NewJob("a"), NewJob("bad", depends_on=(99,)), NewJob("b"))
        ]
        await asyncio.sleep(0)
        held.release()
        await first
        return await asyncio.gather(*waiting, return_exceptions=True)

    a, bad, b = asyncio.run(run(storage, group))
    assert (a.job.type, b.job.type) == ("a", "b")
    assert isinstance(bad, InvalidJob) and bad.problems[0].pointer == "/depends_on/0"
    assert sum(store.stats.counts().values()) == 2


def test_nobody_is_answered_before_the_commit(storage: StorageSettings, store: Store) -> None:
    async def group(held: Held) -> None:
        first = await held.hold()
        seen_by_others: list[int] = []

        def look(_: Store) -> None:
            seen_by_others.append(sum(store_of_another.stats.counts().values()))

        store_of_another = store
        job = asyncio.ensure_future(held.writer.write(submit("a")))
        after = asyncio.ensure_future(held.writer.write(look))
        await asyncio.sleep(0)
        held.release()
        await asyncio.wait([job, after], return_when=asyncio.FIRST_COMPLETED)
        assert job.done() and after.done()  # one wake-up answers the whole group
        assert seen_by_others == [0]  # inside the group, no other connection sees its jobs
        await first

    asyncio.run(run(storage, group))
    assert sum(store.stats.counts().values()) == 1


def test_a_commit_that_fails_is_told_to_all_of_its_group(
    storage: StorageSettings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Store) -> None:
        raise DatabaseBusy("locked")

    async def group(held: Held) -> list[Any]:
        first = await held.hold()
        waiting = [asyncio.ensure_future(held.writer.write(write)) for write in (submit("a"), fail)]
        await asyncio.sleep(0)
        held.release()
        await first
        return await asyncio.gather(*waiting, return_exceptions=True)

    # The one that holds is a group of its own: it was taken before the others came.
    assert all(isinstance(r, DatabaseBusy) for r in asyncio.run(run(storage, group)))
    assert sum(store.stats.counts().values()) == 0


def test_more_than_may_wait_is_refused_at_once(storage: StorageSettings, store: Store) -> None:
    async def group(held: Held) -> None:
        first = await held.hold()
        second = asyncio.ensure_future(held.writer.write(submit("a")))
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await held.writer.write(submit("b"))
        held.release()
        await asyncio.gather(first, second)
        assert refused.value.status == 503
        assert await held.writer.write(submit("c")) > 0

    asyncio.run(run(storage, group, bound=2))


def test_closing_commits_what_waits(storage: StorageSettings, store: Store) -> None:
    async def close(held: Held) -> None:
        first = await held.hold()
        waiting = [asyncio.ensure_future(held.writer.write(submit("a"))) for _ in range(5)]
        await asyncio.sleep(0)
        held.release()
        await held.writer.close()
        assert len(await asyncio.gather(*waiting)) == 5
        await first

    async def run_once() -> None:
        writer = Writer(lambda: open_storage(storage))
        writer.start()
        await close(Held(writer))

    asyncio.run(run_once())
    assert sum(store.stats.counts().values()) == 5


def test_who_came_while_the_lock_was_waited_for_in_vain_does_not_wait_for_it_again(
    storage: StorageSettings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.api.database.writer._FIRST_GROUP", 1)
    monkeypatch.setattr("orpheus.shared.storage.sqlite.turns.BUSY_BOUND_S", 0.5)

    def impatient() -> Store:
        opened = open_storage(storage)
        opened.most_savepoints = 1
        return opened

    async def lock_and_write() -> float:
        writer = Writer(impatient)
        writer.start()
        began = time.monotonic()
        with store.write(durable=False):
            waiting = [writer.write(submit("a")) for _ in range(20)]
            results = await asyncio.gather(*waiting, return_exceptions=True)
        took_s = time.monotonic() - began
        assert all(isinstance(one, DatabaseBusy) for one in results)
        assert isinstance(writer.trouble, DatabaseBusy)
        assert await writer.write(submit("b")) > 0
        assert writer.trouble is None
        await writer.close()
        return took_s

    assert asyncio.run(lock_and_write()) < 5  # and not 20 times half a second
    assert sum(store.stats.counts().values()) == 1


def test_a_group_is_no_larger_than_the_database_likes(
    storage: StorageSettings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[int] = []

    def commit(opened: Store, group: list[Any], *given: Any) -> Any:
        found = commit_group(opened, group, *given)
        groups.append(len(group))
        return found

    monkeypatch.setattr("orpheus.api.database.writer.commit_group", commit)

    def open_one() -> Store:
        opened = open_storage(storage)
        opened.most_savepoints = 3
        return opened

    async def write() -> None:
        writer = Writer(open_one)
        writer.start()
        held = Held(writer)
        first = await held.hold()
        waiting = [asyncio.ensure_future(writer.write(submit("a"))) for _ in range(7)]
        await asyncio.sleep(0)
        held.release()
        await asyncio.gather(first, *waiting)
        await writer.close()

    asyncio.run(write())
    assert [one for one in groups if one] == [1, 3, 3, 1]
