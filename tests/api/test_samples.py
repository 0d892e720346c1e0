"""The last minute of every slot: kept by the API, bounded, and told on request."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import asdict

from orpheus.api.samples import KEPT, SampleRing
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.messages.workers import Worker
from tests.explained import worker


def slot(name: str, **fields: Any) -> Worker:
    return worker(name, **{"cpu_percent": 1.0, "rss_bytes": 1, **fields})


def test_the_last_minute_of_each_slot_is_kept_and_no_more() -> None:
    ring = SampleRing(None, None, None)  # type: ignore[arg-type]
    for n in range(KEPT + 5):
        ring.take([slot("default-1", jobs_done=n), slot("default-2", cpu_percent=None, job={})])
    samples = ring.of(slot("default-1"))
    assert samples.jobs_done == list(range(5, KEPT + 5))
    assert samples.working == [False] * KEPT
    other = ring.of(slot("default-2"))
    assert (other.cpu_percent, other.working) == ([None] * KEPT, [True] * KEPT)


def test_seconds_in_which_nothing_can_be_read_have_empty_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orpheus.api.samples.EVERY_S", 0.05)
    answers = iter([[slot("default-1")], ZeroDivisionError(), [slot("default-1", jobs_done=2)]])

    class Readers:
        async def read(self, _read: Any) -> Any:
            answer = next(answers, None)
            if answer is None:
                raise asyncio.CancelledError
            if isinstance(answer, Exception):
                raise answer
            return answer

    looked: list[Any] = []
    ring = SampleRing(Readers(), None, looked.append)  # type: ignore[arg-type]
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(ring.run())
    samples = ring.of(slot("default-1"))
    assert [n for n in samples.jobs_done if n is not None] == [0, 2]
    assert None in samples.jobs_done[1:-1]
    assert len({len(values) for values in asdict(samples).values()}) == 1
    assert [slots[0].jobs_done for slots in looked] == [0, 2]


def test_samples_are_told_on_request_though_nobody_looked_before(
    start: Any, wait_for: Callable[..., Any]
) -> None:
    api = start(supervised=True)
    api.store.processes.put_slots([api.slot("default-1", SlotState.READY)])

    def samples() -> list[Any]:
        (one,) = api.client.get("/workers?samples=true").json()["items"]
        values: list[Any] = one["samples"]["cpu_percent"]
        return values

    wait_for(lambda: samples()[-2:] == [1.5, 1.5], "two samples")
    (one,) = api.client.get("/workers").json()["items"]
    assert "samples" not in one
    assert api.client.get("/workers?samples=perhaps").status_code == 422


def test_pools_are_told_of_though_they_have_no_slot(api: Any) -> None:
    shown = api.client.get("/workers?samples=true").json()
    pool = {"host": "host-1", "name": "default", "workers": 2, "scaled": None}
    pool |= {"wanted": 0, "finishes_within_s": 325.0}
    assert shown == {"items": [], "pools": [pool], "programs": []}
