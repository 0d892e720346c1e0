"""`/ws?mode=summary`: every event while few come, their sum when many do, and never a wrong end."""

import asyncio
import contextlib
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from orpheus.api.stream.progress import Progress, progress_since
from orpheus.api.stream.summaries import SummaryListener
from orpheus.api.stream.summary import FEW, ranges
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Holder, Lease, NewJob
from orpheus.shared.storage import open_storage
from tests.api.conftest import HOLDER
from tests.api.test_frames import model_of

SUMMARY = "?mode=summary"
MOST_AHEAD = 2_000  # events
END_OF = {"job.done": "done", "job.enqueued": "pending", "job.cancelled": "cancelled"}


class Page:
    """What a reader of such a stream knows."""

    def __init__(self) -> None:
        self.seq = 0
        self.counts: Counter[str] = Counter()
        self.kinds: dict[int, str] = {}
        self.bytes = 0

    def take(self, frame: dict[str, Any]) -> None:
        model_of(frame)
        self.bytes += len(json.dumps(frame))
        if frame["type"] == "summary":
            assert frame["after"] == self.seq
            self.seq = frame["seq"]
            for kind, types in frame["counts"].items():
                self.counts[kind] += sum(types.values())
            for kind, parts in frame["changed"].items():
                for part in parts:
                    first, last = part if isinstance(part, list) else (part, part)
                    self.kinds |= dict.fromkeys(range(first, last + 1), kind)
        elif frame["type"] == "events":
            for event in frame["events"]:
                if "seq" in event:
                    assert event["seq"] == self.seq + 1
                    self.seq += 1
                    self.counts[event["kind"]] += 1
                    self.kinds[event["job"]["id"]] = event["kind"]

    def read_up_to(self, watcher: Any, seq: int) -> None:
        while self.seq < seq:
            self.take(watcher.next("summary", "events"))


def submit_many(api: Any, count: int) -> None:
    assert api.client.post("/jobs/batch", json={"jobs": [{"type": "add"}] * count}).is_success


def test_few_events_come_whole_and_at_once(api: Any) -> None:
    with api.watch(SUMMARY) as watcher:
        hello = watcher.next()
        job_id = api.submit()
        api.run_one()
        events = watcher.events(3)

    assert hello["type"] == "hello" and hello["workers"] == []
    assert [e["seq"] for e in events] == [1, 2, 3]
    assert [e["kind"] for e in events] == ["job.enqueued", "job.started", "job.done"]
    assert all(e["job"]["id"] == job_id for e in events)


def test_whoever_comes_is_not_told_what_was_there_before_though_others_still_wait_for_it(
    api: Any,
) -> None:
    with api.watch(SUMMARY) as other:
        other.next("hello")
        api.submit()
        other.next("events")  # the next ones come a moment later
        api.submit()
        with api.watch(SUMMARY) as watcher:
            assert watcher.next("hello")["seq"] == 2
            api.submit()
            assert [event["seq"] for event in watcher.events(1)] == [3]
        assert [event["seq"] for event in other.events(2)] == [2, 3]


def test_many_events_come_as_their_number_and_the_jobs_that_changed(api: Any) -> None:
    page = Page()
    with api.watch(SUMMARY) as watcher:
        watcher.next("hello")
        submit_many(api, 1000)
        frame = watcher.next("summary")
        page.take(frame)

    assert frame["counts"] == {"job.enqueued": {"add": 1000}}
    assert frame["changed"] == {"job.enqueued": [[1, 1000]]}
    assert [e["job"]["id"] for e in frame["events"]] == list(range(981, 1001))
    assert page.bytes / 1000 < 20, "bytes for each event"


def test_a_job_stands_under_the_newest_of_what_happened_to_it(api: Any) -> None:
    page = Page()
    submit_many(api, FEW)
    for _ in range(3):
        api.run_one()
    api.client.post("/jobs/7/cancel")
    with api.watch("?after=0&mode=summary") as watcher:
        assert watcher.next("hello")["seq"] == 0
        page.read_up_to(watcher, api.store.events.last_seq())

    assert page.kinds[1] == page.kinds[2] == page.kinds[3] == "job.done"
    assert page.kinds[7] == "job.cancelled" and page.kinds[8] == "job.enqueued"
    assert page.counts == {"job.enqueued": FEW, "job.started": 3, "job.done": 3, "job.cancelled": 1}


def test_what_is_not_about_jobs_comes_whole_among_many_events(api: Any) -> None:
    submit_many(api, 500)
    api.store.events.record(Kind.QUEUE_PAUSED, {"name": "mail", "paused": True})
    with api.watch("?after=0&mode=summary") as watcher:
        frame = watcher.next("summary")

    assert frame["events"][-1]["queue"] == {"name": "mail", "paused": True}


def test_few_events_that_are_too_long_are_summed_with_the_newest_of_each_job(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        api.submit()
    api.run_one()
    size = len(api.store.events.of_seqs([1], 1_000_000)[0].body)
    monkeypatch.setattr("orpheus.api.stream.summary.FRAME_BYTES", 6 * size)
    monkeypatch.setattr("orpheus.api.stream.summary._BYTES_OF_EVENTS", 3 * size)
    with api.watch("?after=0&mode=summary") as watcher:
        frame = watcher.next("summary")

    assert frame["changed"] == {"job.done": [1], "job.enqueued": [[2, 4]]}
    told = [(event["kind"], event["job"]["id"]) for event in frame["events"]]
    assert told == [("job.enqueued", 4), ("job.done", 1)]


def test_progress_comes_without_a_seq(api: Any) -> None:
    mine = api.submit()
    (lease,) = api.lease()
    with api.watch(SUMMARY) as watcher:
        watcher.next("hello")
        api.store.leases.progress(mine, lease.token, 0.5, "half way")
        (event,) = watcher.next("events")["events"]

    assert (event["kind"], event["job"]["progress"]) == ("job.progress", 0.5)
    assert "seq" not in event


def report(api: Any, lease: Lease, progress: float) -> None:
    api.store.leases.progress(lease.job_id, lease.token, progress, None)


def progress_in(frame: dict[str, Any]) -> dict[int, float]:
    told = [event["job"] for event in frame["events"] if event["kind"] == "job.progress"]
    return {job["id"]: job["progress"] for job in told}


def test_one_who_comes_back_is_told_of_progress_that_others_were_told_before(api: Any) -> None:
    api.submit()
    (lease,) = api.lease()
    with api.watch(SUMMARY) as other:
        other.next("hello")
        report(api, lease, 0.5)
        assert progress_in(other.next("events")) == {1: 0.5}
        with api.watch("?after=1&mode=summary") as watcher:
            assert progress_in(watcher.next("events")) == {1: 0.5}
            report(api, lease, 0.6)
            assert progress_in(watcher.next("events")) == {1: 0.6}


def test_of_many_jobs_that_progress_all_are_told_of_in_turn(api: Any) -> None:
    submit_many(api, FEW + 10)
    leases = [
        api.store.leases.lease(Holder("default-1", f"life-{n}", n + 1), ("*",), 1, 30_000)[0]
        for n in range(FEW + 10)
    ]
    with api.watch(SUMMARY) as watcher:
        watcher.next("hello")
        with api.store.write(durable=False):
            for lease in leases:
                report(api, lease, 0.1)
        first, second = progress_in(watcher.next("events")), progress_in(watcher.next("events"))
        assert (len(first), len(second)) == (FEW, 10) and len(first | second) == FEW + 10
        with api.watch(f"?after={api.store.events.last_seq()}&mode=summary") as other:
            both = [progress_in(other.next("events")) for _ in range(2)]
            assert both[0] | both[1] == first | second
        report(api, leases[0], 0.2)
        assert progress_in(watcher.next("events")) == {leases[0].job_id: 0.2}, "the oldest job"


def test_those_told_longest_ago_are_told_first(api: Any) -> None:
    submit_many(api, 3)
    leases = [
        api.store.leases.lease(Holder("default-1", f"life-{n}", n + 1), ("*",), 1, 30_000)[0]
        for n in range(3)
    ]
    known: Progress = {}
    for progress, expected in [(0.1, [3, 2]), (0.2, [1, 3]), (0.3, [2, 1]), (0.3, [3])]:
        for lease in leases:
            report(api, lease, progress)
        known, events = progress_since(api.store, known, limit=2)
        assert [event.job_id for event in events] == expected


def test_heartbeats_go_on(api: Any) -> None:
    with api.watch(SUMMARY) as watcher:
        watcher.next("hello")
        assert watcher.next("heartbeat")["counts"]["pending"] == 0
        watcher.next("heartbeat")


def test_one_who_comes_back_again_and_again_counts_every_event_once(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While jobs are submitted and run, and others listen in both modes."""
    monkeypatch.setattr("orpheus.api.stream.summaries.FRAME_GAP_S", 0.02)
    enough = threading.Event()

    def work() -> None:
        chance = random.Random(5)
        store = open_storage(api.services.options.storage)
        while not enough.is_set():
            if store.events.last_seq() < page.seq + MOST_AHEAD:
                store.jobs.submit_many([NewJob("add", payload="{}")] * chance.randrange(1, 200))
                api.run_one()
            enough.wait(0.01)
        store.close()

    page, chance = Page(), random.Random(7)
    load = threading.Thread(target=work)
    load.start()
    try:
        with api.watch(), api.watch(SUMMARY):
            for _ in range(8):
                with api.watch(f"?after={page.seq}&mode=summary") as watcher:
                    watcher.next("hello")
                    for _ in range(chance.randrange(1, 4)):
                        page.take(watcher.next("summary", "events"))
    finally:
        enough.set()
        load.join()
    last_seq = api.store.events.last_seq()
    with api.watch(f"?after={page.seq}&mode=summary") as watcher:
        page.read_up_to(watcher, last_seq)
        api.submit()
        page.read_up_to(watcher, last_seq + 1)

    assert page.counts.total() == last_seq + 1
    assert set(page.kinds.values()) == {"job.enqueued", "job.done"}
    for job_id, kind in list(page.kinds.items())[::20]:
        assert api.store.jobs.get(job_id).status == END_OF[kind], job_id


def test_a_slow_client_is_told_in_one_message_of_all_that_it_missed(
    api: Any, wait_for: Callable[..., Any]
) -> None:
    summaries, page = api.services.summaries, Page()

    def submit_and_wait() -> None:
        submit_many(api, 1000)
        seq = api.store.events.last_seq()
        wait_for(lambda: summaries.newest.seq == seq, "a summary")

    async def lag() -> str:
        async with contextlib.aclosing(SummaryListener(summaries).follow(None)) as messages:
            await anext(messages)
            for _ in range(3):
                await asyncio.to_thread(submit_and_wait)
            return (await anext(messages)).text

    page.take(json.loads(asyncio.run_coroutine_threadsafe(lag(), api._loop).result(60)))
    assert page.counts == {"job.enqueued": 3000}


def test_a_slow_client_is_told_of_the_progress_that_it_missed(
    api: Any, wait_for: Callable[..., Any]
) -> None:
    summaries = api.services.summaries
    submit_many(api, 2)
    leases = api.store.leases.lease(HOLDER, ("*",), 1, 30_000)
    leases += api.store.leases.lease(Holder("default-2", "life-2", 102), ("*",), 1, 30_000)

    def report_and_wait(lease: Lease, progress: float) -> None:
        report(api, lease, progress)
        wait_for(lambda: summaries.newest.progress.get(lease.job_id) == (progress, None), "it")

    async def lag() -> list[str]:
        async with contextlib.aclosing(SummaryListener(summaries).follow(None)) as messages:
            await anext(messages)
            await asyncio.to_thread(report_and_wait, leases[0], 0.5)
            await asyncio.to_thread(report_and_wait, leases[1], 0.7)
            missed = (await anext(messages)).text
            while progress_in(json.loads(missed)) == {}:
                missed = (await anext(messages)).text
            await asyncio.to_thread(report_and_wait, leases[0], 0.6)
            return [missed, (await anext(messages)).text]

    texts = asyncio.run_coroutine_threadsafe(lag(), api._loop).result(60)
    assert [progress_in(json.loads(text)) for text in texts] == [{1: 0.5, 2: 0.7}, {1: 0.6}]


@pytest.mark.parametrize("query", ["?after=500&mode=summary", "?after=1&epoch=x1&mode=summary"])
def test_a_position_that_is_not_in_this_history_is_a_reset(api: Any, query: str) -> None:
    api.submit()
    with api.watch(query) as watcher:
        watcher.next("hello")
        assert watcher.next() == {"type": "reset", "oldest": 1}
        assert watcher.next("hello")["seq"] == 1
        api.submit()
        assert [e["seq"] for e in watcher.events(1)] == [2]


def test_a_log_that_outruns_the_stream_is_a_reset(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.api.stream.summary.MOST_BEHIND", 100)
    with api.watch(SUMMARY) as watcher:
        watcher.next("hello")
        submit_many(api, 500)
        assert watcher.next("reset")["oldest"] == 1
        assert watcher.next("hello")["seq"] == 500
        api.submit()
        assert [e["seq"] for e in watcher.events(1)] == [501]


def test_more_than_one_message_can_tell_comes_in_several(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("summary", "summaries"):
        monkeypatch.setattr(f"orpheus.api.stream.{module}.MOST_SUMMARISED", 100)
    page = Page()
    with api.watch(SUMMARY) as watcher:
        watcher.next("hello")
        submit_many(api, 350)
        page.read_up_to(watcher, 350)
    assert page.counts == {"job.enqueued": 350}


def test_summaries_alone_keep_no_event_and_leave_nothing_running(
    api: Any, wait_for: Callable[..., Any]
) -> None:
    broadcaster = api.services.broadcaster
    with api.watch(SUMMARY) as watcher:
        watcher.next("hello")
        submit_many(api, 1000)
        watcher.next("summary")
        assert broadcaster.ring.end == broadcaster.ring.first, "no event was kept"
        with api.watch() as other:
            assert other.next("hello")["seq"] == 1000
            api.submit()
            assert [e["seq"] for e in other.events(1)] == [1001]
            assert [e["seq"] for e in watcher.events(1)] == [1001]
    wait_for(broadcaster._task.done, "the end of the broadcaster's task")
    with api.watch(SUMMARY) as watcher:
        assert watcher.next("hello")["seq"] == 1001


def test_a_server_that_stops_asks_to_come_back(api: Any) -> None:
    with api.watch(SUMMARY) as watcher:
        watcher.next("hello")
        api.call(api.services.broadcaster.release_all)
        with pytest.raises(ConnectionClosed) as closed:
            watcher.next("nothing that is sent")
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012


@pytest.mark.parametrize("query", ["?mode=all", "?mode=", "?mode=summary&job=1"])
def test_another_mode_and_a_summary_of_one_job_are_refused(api: Any, query: str) -> None:
    api.submit()
    with pytest.raises(InvalidStatus) as refused, api.watch(query):
        pass
    assert refused.value.response.status_code == 422
    assert json.loads(refused.value.response.body)["errors"][0]["pointer"] == "/mode"


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        ([], []),
        ([4], [4]),
        ([4, 5], [4, 5]),
        ([4, 5, 6], [[4, 6]]),
        ([1, 4, 5, 6, 8, 9], [1, [4, 6], 8, 9]),
    ],
)
def test_runs_of_ids_are_told_by_their_ends(ids: list[int], told: list[Any]) -> None:
    assert ranges(ids) == told
