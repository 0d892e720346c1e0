"""Slow clients of the stream are reset or cut off; the others notice nothing."""

import asyncio
import contextlib
import json
import random
import re
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.api.stream.listener import Listener
from orpheus.api.stream.messages import Frame, Notice
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import open_storage

MOST_AHEAD = 1_000  # events; a client that is cut off takes a hundred


def test_of_progress_a_slow_client_gets_the_newest_alone(
    api: Any, wait_for: Callable[..., Any]
) -> None:
    broadcaster = api.services.broadcaster
    mine = api.submit()
    (lease,) = api.lease()
    seen: list[Frame | Notice] = []

    def progress(step: float) -> None:
        frames = broadcaster.ring.end
        api.store.leases.progress(mine, lease.token, step, f"at {step}")
        wait_for(lambda: broadcaster.ring.end > frames, "a frame")

    async def lag() -> None:
        """Take the hello, then nothing until three frames wait."""
        async with contextlib.aclosing(Listener(broadcaster).follow(None)) as messages:
            seen.append(await anext(messages))
            for step in (0.1, 0.2, 0.3):
                await asyncio.to_thread(progress, step)
            seen.append(await anext(messages))

    asyncio.run_coroutine_threadsafe(lag(), api._loop).result(20)
    hello, frame = seen
    assert isinstance(hello, Notice) and isinstance(frame, Frame)
    assert [json.loads(item.text)["job"]["progress"] for item in frame.progress] == [0.3]


@pytest.mark.parametrize("path", ["/ws", "/events"])
def test_a_client_that_is_cut_off_fifty_times_misses_and_repeats_nothing(
    api: Any, path: str
) -> None:
    seen: list[int] = []
    chance = random.Random(5)
    enough = threading.Event()

    def work() -> None:
        """There is always something new to read, but never much more than was read."""
        store = open_storage(api.services.options.storage)
        while not enough.is_set():
            if store.events.last_seq() < (seen[-1] if seen else 0) + MOST_AHEAD:
                store.jobs.submit_many([NewJob("add", payload="{}")] * chance.randrange(1, 40))
            enough.wait(0.01)
        store.close()

    load = threading.Thread(target=work)
    load.start()
    try:
        for _ in range(50):
            seen += cut_off(api, path, seen[-1] if seen else 0, chance.randrange(1, 60_000))
    finally:
        enough.set()
        load.join()
    last_seq = api.store.events.last_seq()
    while not seen or seen[-1] < last_seq:
        seen += cut_off(api, path, seen[-1] if seen else 0, 1_000_000)

    assert seen == list(range(1, last_seq + 1))


def cut_off(api: Any, path: str, after: int, bytes_taken: int) -> list[int]:
    """The seqs in so many bytes of a stream, whose connection then breaks without a word."""
    upgrade = (
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    )
    with socket.create_connection(("127.0.0.1", api.port), timeout=0.5) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(
            f"GET {path}?after={after} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"{upgrade if path == '/ws' else ''}\r\n".encode()
        )
        taken = b""
        with contextlib.suppress(TimeoutError):
            while len(taken) < bytes_taken:
                taken += connection.recv(bytes_taken - len(taken))
    # An event counts that has come whole: the next one, or its frame's end, stands behind it.
    return [int(seq) for seq in re.findall(rb'\{"seq":(\d+),(?:(?!\{"seq").)*?\}\}', taken)]


def test_a_client_that_does_not_read_is_reset_and_the_others_do_not_notice(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.api.stream.ring._MOST_FRAMES", 3)
    monkeypatch.setattr("orpheus.api.stream.broadcaster.FRAME_GAP_S", 0.01)
    api._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    narrow.connect(("127.0.0.1", api.port))
    seen: list[int] = []
    with api.watch(sock=narrow, max_queue=1, compression=None) as slow, api.watch() as quick:
        slow.next("hello")
        quick.next("hello")
        for _ in range(20):
            batch = [{"type": "add"}] * 500
            assert api.client.post("/jobs/batch", json={"jobs": batch}).status_code == 201
            seen += [e["seq"] for e in quick.events(500)]
        reset = slow.next("reset")
        hello = slow.next("hello")
        api.submit()
        (event,) = slow.events(1)

    assert seen == list(range(1, 10_001))
    assert reset["oldest"] == 1
    assert event["seq"] == hello["seq"] + 1


def test_a_log_that_outruns_the_stream_resets_every_client(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.api.stream.broadcaster.MOST_BEHIND", 100)
    monkeypatch.setattr("orpheus.api.stream.broadcaster.FRAME_EVENTS", 10)
    with api.watch() as watcher:
        watcher.next("hello")
        api.client.post("/jobs/batch", json={"jobs": [{"type": "add"}] * 500})
        assert watcher.next("reset")["oldest"] == 1
        assert watcher.next("hello")["seq"] == 500
        api.submit()
        assert [e["seq"] for e in watcher.events(1)] == [501]
