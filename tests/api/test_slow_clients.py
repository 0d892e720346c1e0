"""Clients that send or read slowly, or never: they are closed, and nobody else notices."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.raw_http import answers_at_once, read_all, sockets
from tests.machine import slowness

JSON = {"Content-Type": "application/json"}


HALF = b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


ADDRESS = "127.0.0.1"


@pytest.fixture
def hurried(start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """An API whose patience is short enough for a test."""
    monkeypatch.setattr("orpheus.api.server.connections.HEADERS_WITHIN_S", 2.0)
    monkeypatch.setattr("orpheus.api.server.connections.REQUEST_WITHIN_S", 3.0)
    monkeypatch.setattr("orpheus.api.server.uvicorn._UNACKNOWLEDGED_MS", 2_000)
    return start()


def test_two_hundred_clients_with_half_a_header_neither_hurt_nor_stay(hurried: Any) -> None:
    with sockets(hurried, 200) as slow:
        for one in slow:
            one.sendall(HALF)
        assert answers_at_once(hurried)
        for drip in (b"a", b"b", b"c"):
            for one in slow[:50]:
                one.sendall(drip)
        began_s = time.monotonic()
        assert [read_all(one) for one in slow] == [b""] * 200
        assert time.monotonic() - began_s < 10 * slowness()
    assert answers_at_once(hurried)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n",
        b"G",
        b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{",
        b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
)
def test_what_never_becomes_a_request_is_closed(hurried: Any, sent: bytes) -> None:
    with sockets(hurried, 1) as (one,):
        one.sendall(sent)
        began_s = time.monotonic()
        assert not read_all(one).startswith(b"HTTP/1.1 2")
        assert time.monotonic() - began_s < 8 * slowness()
    assert hurried.store.events.last_seq() == 0


def test_the_second_request_of_a_connection_has_a_time_too(hurried: Any) -> None:
    with sockets(hurried, 1) as (one,):
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + HALF)
        began_s = time.monotonic()
        assert read_all(one).startswith(b"HTTP/1.1 200 ")
        assert time.monotonic() - began_s < 8 * slowness()


def test_a_bare_line_break_after_an_answer_buys_no_time(hurried: Any) -> None:
    with sockets(hurried, 1) as (one,):
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert one.recv(4_096).startswith(b"HTTP/1.1 200 ")
        one.sendall(b"\r\n")
        began_s = time.monotonic()
        read_all(one)
        assert time.monotonic() - began_s < 8 * slowness()


@pytest.mark.parametrize("path", ["/events%0A", "/jobs%0A", "/jobs/batch%0A"])
def test_a_path_with_a_line_break_is_no_path(api: Any, path: str) -> None:
    assert api.client.get(path).status_code == 404


def test_a_request_that_takes_its_time_to_be_answered_is_not_cut_off(hurried: Any) -> None:
    job_id = hurried.submit()
    answer = hurried.client.get(f"/jobs/{job_id}?wait=4")
    assert answer.json()["status"] == "pending"
    with hurried.watch() as watcher:
        for _ in range(4):
            assert watcher.next("heartbeat")


def test_headers_without_end_are_not_read_to_the_end(api: Any) -> None:
    with sockets(api, 1) as (one,):
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        sent = 0
        try:
            while sent < 1_000:  # 10 MB
                one.sendall(b"X-%d: " % sent + b"x" * 10_000 + b"\r\n")
                sent += 1
        except OSError:
            pass
        assert sent < 1_000
    assert answers_at_once(api)


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def connections(api: Any) -> int:
    return len(api._server.server_state.connections)


def test_fifty_websockets_that_never_read_are_gone_and_the_others_unhurt(
    hurried: Any, wait_for: Callable[..., Any]
) -> None:
    batch = {"jobs": [{"type": "add", "tags": ["t" * 64] * 30}] * 500}
    with hurried.watch(max_size=None) as watcher, sockets(hurried, 50, 4_096) as deaf:
        first = watcher.next("hello")["seq"]
        for one in deaf:
            one.sendall(HANDSHAKE)
        wait_for(lambda: connections(hurried) >= 51, "all handshakes")
        for _ in range(8):
            assert hurried.client.post("/jobs/batch", json=batch).status_code == 201
        seen = [event["seq"] for event in watcher.events(4_000)]
        assert seen == list(range(first + 1, first + 4_001))
        assert answers_at_once(hurried)
        wait_for(lambda: connections(hurried) <= 4, "the deaf ones to be gone", 60)
        assert watcher.next("heartbeat")


def test_clients_that_never_read_their_answer_are_gone(
    hurried: Any, wait_for: Callable[..., Any]
) -> None:
    jobs = [{"type": "add", "payload": {"text": "x" * 20_000}}] * 500
    assert hurried.client.post("/jobs/batch", json={"jobs": jobs}).status_code == 201
    with sockets(hurried, 10, 4_096) as deaf:
        for one in deaf:
            one.sendall(b"GET /jobs?limit=500 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_for(lambda: connections(hurried) >= 10, "all requests")
        assert answers_at_once(hurried)
        wait_for(lambda: connections(hurried) <= 2, "the deaf ones to be gone", 60)
