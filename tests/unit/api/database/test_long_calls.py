"""Calls that take long: few at once, each with its own store, and ended when the API stops."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.api.database import long_calls
from orpheus.api.database.long_calls import LongCalls
from orpheus.api.http.problems import Refusal
from tests.machine import PATIENCE_S


class FakeStore:
    closed = 0

    def close(self) -> None:
        FakeStore.closed += 1


def run(test: Callable[[LongCalls], Any], most: int) -> Any:
    async def run_inside() -> Any:
        calls = LongCalls(FakeStore, most)  # type: ignore[arg-type]
        try:
            return await test(calls)
        finally:
            await calls.close()

    return asyncio.run(run_inside())


def test_more_than_may_run_are_refused_also_when_nobody_waits_for_one() -> None:
    async def many(calls: LongCalls) -> None:
        may_end = threading.Event()
        running = [
            asyncio.create_task(calls.run(lambda _: may_end.wait(PATIENCE_S))) for _ in range(2)
        ]
        await asyncio.sleep(0)
        running[0].cancel()
        with pytest.raises(Refusal) as refused:
            await calls.run(lambda _: None)
        assert refused.value.status == 503 and refused.value.headers["Retry-After"]
        may_end.set()
        assert await running[1]
        assert await calls.run(lambda _: "again") == "again"

    closed = FakeStore.closed
    run(many, most=2)
    assert FakeStore.closed == closed + 3


def test_a_call_is_told_to_end_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_calls, "_GRACE_S", 0.0)
    monkeypatch.setattr(long_calls, "_END_S", PATIENCE_S)
    ended = threading.Event()

    async def stop(calls: LongCalls) -> None:
        def work(_: object) -> None:
            assert calls.stopping.wait(PATIENCE_S)
            ended.set()

        call = asyncio.create_task(calls.run(work))
        await asyncio.sleep(0)
        calls.stop_soon()
        call.cancel()

    run(stop, most=1)
    assert ended.is_set()
