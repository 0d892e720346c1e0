"""GET /events: the same events as /ws, in the same order, as server-sent events."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.machine import PATIENCE_S

Block = dict[str, str]


@dataclass
class Source:
    """An open answer of GET /events, block by block."""

    headers: dict[str, str]
    _lines: Iterator[str]

    def block(self) -> Block:
        """The next one: its fields by name, a comment under the empty name."""
        found: Block = {}
        for line in self._lines:
            if not line and found:
                return found
            name, _, value = line.partition(":")
            found[name] = value.removeprefix(" ")
        raise EOFError

    def events(self, count: int) -> list[Block]:
        """The next `count` stored events; each block's data is what its other fields say."""
        events: list[Block] = []
        while len(events) < count:
            block = self.block()
            if "data" not in block:
                continue
            data = json.loads(block["data"])
            assert block["event"] == data["kind"]
            assert block.get("id", ":").partition(":")[2] == str(data.get("seq", ""))
            events += [block] if "seq" in data else []
        return events


def id_of(api: Any, seq: int) -> str:
    return f"{api.store.events.epoch()}:{seq}"


@contextmanager
def listen(api: Any, query: str = "", **headers: str) -> Iterator[Source]:
    with api.client.stream("GET", f"/events{query}", headers=headers) as answer:
        assert answer.status_code == 200
        yield Source(dict(answer.headers), answer.iter_lines())


def test_it_says_what_it_is_and_where_it_stands(api: Any) -> None:
    api.submit()
    with listen(api) as source:
        assert source.headers["content-type"].startswith("text/event-stream")
        assert source.headers["cache-control"] == "no-store"
        assert source.block() == {"id": id_of(api, 1)}


def test_the_same_events_come_as_on_the_websocket(api: Any) -> None:
    with api.watch() as watcher, listen(api) as source:
        watcher.next("hello")
        assert source.block() == {"id": id_of(api, 0)}
        for _ in range(5):
            api.submit()
            api.run_one()
        expected = watcher.events(15)
        blocks = source.events(15)

    assert [json.loads(block["data"]) for block in blocks] == expected
    assert [block["event"] for block in blocks[:3]] == ["job.enqueued", "job.started", "job.done"]


def test_a_head_has_its_headers_and_ends(api: Any) -> None:
    answer = api.client.head("/events")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    # The next request of the same connection is answered: nothing streams on behind the headers.
    url = api.client.base_url
    with socket.create_connection((url.host, url.port), timeout=PATIENCE_S) as connection:
        for request in ("HEAD /events", "GET /healthz"):
            connection.sendall(f"{request} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = b""
        while b'"ok"' not in received:
            received += connection.recv(4_096)
    assert received.count(b"HTTP/1.1 200 OK") == 2


def test_after_and_last_event_id_resume_and_the_header_goes_first(api: Any) -> None:
    for _ in range(5):
        api.submit()
    with listen(api, "?after=2") as source:
        assert [block["id"] for block in source.events(3)] == [id_of(api, n) for n in (3, 4, 5)]
    for last_event_id in ("4", id_of(api, 4)):
        with listen(api, "?after=1&epoch=x", **{"Last-Event-ID": last_event_id}) as source:
            assert [block["id"] for block in source.events(1)] == [id_of(api, 5)]


def test_what_is_no_longer_kept_is_a_reset_and_a_new_position(api: Any) -> None:
    for _ in range(5):
        api.submit()
    with api.store._database._handle as connection:
        connection.execute("DELETE FROM events WHERE seq <= 3")
    with listen(api, "?after=1") as source:
        source.block()
        reset, position = source.block(), source.block()
        api.submit()
        assert [block["id"] for block in source.events(1)] == [id_of(api, 6)]

    assert (reset["event"], json.loads(reset["data"])) == ("reset", {"type": "reset", "oldest": 4})
    assert position == {"id": id_of(api, 5)}


def test_silence_is_filled_with_comments(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orpheus.api.stream.sse.KEEP_ALIVE_S", 0.0)
    with listen(api) as source:
        source.block()
        assert source.block() == {"": "still here"}


@pytest.mark.parametrize(
    ("query", "headers", "pointer"),
    [
        ("?after=x", {}, "/after"),
        ("?after=-1", {}, "/after"),
        ("?since=1", {}, "/since"),
        ("", {"Last-Event-ID": "x"}, "/after"),
        ("", {"Last-Event-ID": "é:1".encode()}, "/epoch"),
        ("?after=1&epoch=a%20b", {}, "/epoch"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    api: Any, query: str, headers: dict[str, str], pointer: str
) -> None:
    answer = api.client.get(f"/events{query}", headers=headers)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_it_ends_in_order_when_the_api_does(api: Any) -> None:
    with listen(api) as source:
        source.block()
        api.drain()
        with pytest.raises(EOFError):  # and no broken transfer
            source.events(1)


def test_a_client_that_leaves_is_forgotten(api: Any, wait_for: Any) -> None:
    broadcaster = api.services.broadcaster
    with listen(api) as source:
        source.block()
        assert len(broadcaster._listeners) == 1
    wait_for(lambda: not broadcaster._listeners, "the listener's end")
