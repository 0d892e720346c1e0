"""The event stream: hello first, then every event in order, for every kind of client."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from orpheus.shared.domain.jobs import NewLine
from tests.machine import slowness


def test_hello_comes_first_and_says_where_the_stream_stands(api: Any) -> None:
    api.submit()
    with api.watch() as watcher:
        hello = watcher.next()

    assert (hello["type"], hello["seq"]) == ("hello", 1)
    assert hello["counts"]["pending"] == 1
    assert [one["name"] for one in hello["types"]] == ["add", "strict"]
    assert hello["workers"] == []


def test_events_follow_in_order_without_a_gap(api: Any) -> None:
    with api.watch() as watcher:
        hello = watcher.next()
        job_id = api.submit(payload={"text": "secret"})
        api.run_one()
        events = watcher.events(3)

    assert [e["seq"] for e in events] == [hello["seq"] + n for n in (1, 2, 3)]
    assert [e["kind"] for e in events] == ["job.enqueued", "job.started", "job.done"]
    assert all(e["job"]["id"] == job_id for e in events)
    assert "secret" not in json.dumps(events)
    assert events[2]["job"]["status"] == "done"


def test_a_quiet_stream_passes_an_event_on_at_once(api: Any, wait_for: Callable[..., Any]) -> None:
    with api.watch() as watcher:
        watcher.next("hello")

        def is_passed_on_before_a_frame_would_be_gathered() -> bool:
            threading.Event().wait(0.3)  # the stream is quiet again
            began = time.monotonic()
            api.submit()
            watcher.events(1)
            return time.monotonic() - began < 0.2

        wait_for(is_passed_on_before_a_frame_would_be_gathered, "an event within 0.2 s")


def test_a_busy_stream_is_gathered_into_few_frames(api: Any) -> None:
    with api.watch() as watcher:
        watcher.next("hello")
        began = time.monotonic()
        for _ in range(100):
            api.submit()
        frames: list[dict[str, Any]] = []
        while sum(len(frame["events"]) for frame in frames) < 100:
            frames.append(watcher.next("events"))
        took_s = time.monotonic() - began

    assert len(frames) <= took_s / 0.25 + 2


def test_a_heartbeat_comes_each_second(api: Any) -> None:
    with api.watch() as watcher:
        watcher.next("hello")
        first = watcher.next("heartbeat", timeout_s=10)
        began = time.monotonic()
        watcher.next("heartbeat", timeout_s=10)

    assert first["counts"]["pending"] == 0 and first["workers"] == []
    assert first["at"].endswith("Z")
    assert 0.5 < time.monotonic() - began < 2 * slowness()


def test_a_client_that_resumes_misses_and_repeats_nothing(api: Any) -> None:
    seen: list[int] = []
    after = 0
    for _ in range(5):
        with api.watch(f"?after={after}") as watcher:
            hello = watcher.next()
            assert (hello["type"], hello["seq"]) == ("hello", after)
            for _ in range(20):
                api.submit()
            seen += [e["seq"] for e in watcher.events(7)]
            after = seen[-1]
        api.submit()  # while nobody listens
    with api.watch(f"?after={after}") as watcher:
        while seen[-1] < api.store.events.last_seq():
            seen += [e["seq"] for e in watcher.events(1)]

    assert seen == list(range(1, api.store.events.last_seq() + 1))


def test_a_long_absence_is_made_up_for_in_pages(api: Any) -> None:
    batch = [{"type": "add"}] * 1700
    api.client.post("/jobs/batch", json={"jobs": batch})
    with api.watch("?after=3") as watcher:
        watcher.next("hello")
        events = watcher.events(1697)
        api.submit()
        events += watcher.events(1)

    assert [e["seq"] for e in events] == list(range(4, 1702))


def test_a_seq_that_this_database_never_gave_is_a_reset(api: Any) -> None:
    api.submit()
    with api.watch("?after=500") as watcher:
        assert watcher.next()["seq"] == 500
        assert watcher.next() == {"type": "reset", "oldest": 1}
        assert watcher.next("hello")["seq"] == 1
        api.submit()
        assert [e["seq"] for e in watcher.events(1)] == [2]


def test_events_that_were_swept_are_a_reset(api: Any) -> None:
    for _ in range(5):
        api.submit()
    with api.store._database._handle as connection:
        connection.execute("DELETE FROM events WHERE seq <= 3")
    with api.watch("?after=3") as watcher:
        watcher.next("hello")
        assert [e["seq"] for e in watcher.events(2)] == [4, 5]
    with api.watch("?after=2") as watcher:
        watcher.next("hello")
        assert watcher.next() == {"type": "reset", "oldest": 4}


def test_a_job_scoped_client_gets_this_job_alone(api: Any) -> None:
    mine = api.submit()
    with api.watch(f"?job={mine}") as watcher:
        hello = watcher.next("hello")
        api.submit()
        api.run_one()
        events = watcher.events(2)

    assert {e["job"]["id"] for e in events} == {mine}
    assert [e["kind"] for e in events] == ["job.started", "job.done"]
    assert events[0]["seq"] > hello["seq"] + 1


def test_a_job_scoped_client_gets_its_log_and_progress_live(api: Any) -> None:
    mine = api.submit()
    (lease,) = api.lease()
    api.store.logs.append(mine, lease.token, 1, [NewLine(1, "info", "before", '{"n":1}')])
    with api.watch(f"?job={mine}") as watcher:
        watcher.next("hello")
        log = watcher.next("log")
        assert (log["job"], [line["line"] for line in log["lines"]]) == (mine, ["before"])
        assert "seq" not in log
        api.store.logs.append(mine, lease.token, 1, [NewLine(2, "error", "after")])
        assert [line["line"] for line in watcher.next("log")["lines"]] == ["after"]
        api.store.leases.progress(mine, lease.token, 0.5, "half way")
        (event,) = watcher.next("events")["events"]

    assert event["kind"] == "job.progress" and "seq" not in event
    assert (event["job"]["progress"], event["job"]["message"]) == (0.5, "half way")


def test_a_job_scoped_client_that_comes_back_gets_only_the_lines_that_it_lacks(api: Any) -> None:
    mine = api.submit()
    (lease,) = api.lease()
    lines = [NewLine(at, "info", f"line {at}") for at in range(3)]
    api.store.logs.append(mine, lease.token, 1, lines)
    known = api.store.logs.after(mine, 0, 10)[1].id
    with api.watch(f"?job={mine}&log_after={known}") as watcher:
        watcher.next("hello")
        assert [line["line"] for line in watcher.next("log")["lines"]] == ["line 2"]


def test_every_client_sees_the_progress_of_running_jobs_after_their_start(api: Any) -> None:
    events: list[dict[str, Any]] = []
    with api.watch() as watcher:
        watcher.next("hello")
        mine = api.submit()
        (lease,) = api.lease()
        for step in range(1, 6):
            api.store.leases.progress(mine, lease.token, step / 5, f"step {step}")
        while not events or events[-1]["job"]["progress"] != 1:
            events += watcher.next("events")["events"]
        api.finish(lease)
        while events[-1]["kind"] != "job.done":
            events += watcher.next("events")["events"]

    progress = [e for e in events if e["kind"] == "job.progress"]
    assert all("seq" not in e and e["job"]["id"] == mine for e in progress)
    assert progress[-1]["job"]["message"] == "step 5"
    assert len({e["job"]["progress"] for e in progress}) == len(progress)  # each told once
    kinds = [e["kind"] for e in events]
    assert kinds.index("job.started") < kinds.index("job.progress")


def test_an_unknown_job_is_refused(api: Any) -> None:
    for job in ("99", "x"):
        with pytest.raises(InvalidStatus) as refused, api.watch(f"?job={job}"):
            pass
        assert refused.value.response.status_code == 404


def test_the_stream_survives_trouble_with_the_database(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orpheus.shared.errors import DatabaseBusy

    monkeypatch.setattr("orpheus.api.stream.broadcaster._TROUBLE_PAUSE_S", 0.01)
    readers = api.services.readers
    failures = [DatabaseBusy("locked")] * 3

    class Troubled:
        async def read(self, what: Any) -> Any:
            if failures:
                raise failures.pop()
            return await readers.read(what)

    with api.watch() as watcher:
        watcher.next("hello")
        api.services.broadcaster._readers = Troubled()
        api.submit()
        api.run_one()
        assert [e["seq"] for e in watcher.events(3)] == [1, 2, 3]

    assert not failures


@pytest.mark.parametrize("query", ["?since=1", "?job=1&x=", "?log_after=x"])
def test_a_parameter_that_cannot_be_meant_is_refused(api: Any, query: str) -> None:
    api.submit()
    with pytest.raises(InvalidStatus) as refused, api.watch(query):
        pass

    assert refused.value.response.status_code == 422
    assert refused.value.response.headers["content-type"] == "application/problem+json"


def test_a_job_s_lines_come_before_its_end(api: Any) -> None:
    mine = api.submit()
    (lease,) = api.lease()
    with api.watch(f"?job={mine}") as watcher:
        watcher.next("hello")
        api.store.logs.append(mine, lease.token, 1, [NewLine(n, "info", "x") for n in range(700)])
        api.finish(lease)
        lines = 0
        while (frame := watcher.next("log", "events"))["type"] == "log":
            lines += len(frame["lines"])

    assert lines == 700
    assert frame["events"][-1]["kind"] == "job.done"


def test_no_frame_is_longer_than_a_megabyte(api: Any) -> None:
    batch: list[dict[str, Any]] = [{"type": "add", "ref": "a"}]
    batch += [{"type": "add", "tags": [f"{n:064}" for n in range(32)]} for _ in range(2000)]
    mine = api.submit()
    (lease,) = api.lease()
    api.store.logs.append(mine, lease.token, 1, [NewLine(1, "info", "é" * 16_000)] * 100)
    with api.watch(f"?job={mine}") as one, api.watch() as live:  # a client takes no more
        live.next("hello")
        assert api.client.post("/jobs/batch", json={"jobs": batch}).status_code == 201
        live.events(2001)
        while not (lines := one.next("log")["lines"]):
            pass
    with api.watch("?after=0") as late:
        assert [e["seq"] for e in late.events(2003)] == list(range(1, 2004))
    assert len(lines) < 100
