"""Submitting over HTTP: how fast over many connections, and how fast a job starts.

The client writes prepared bytes to plain sockets, so that it takes little time itself. Its jobs go
to a queue that no worker serves, so that only submitting is measured; `post_draining` is the same
while both workers run a backlog of another queue. A FastAPI application without a database answers
the same requests in turns with it.
"""

import asyncio
import random
import time
from collections.abc import Callable

from benchmarks.bare_post import bare_application
from benchmarks.catalog import BARE_FASTAPI, ORPHEUS
from benchmarks.live import ONLY_DEFAULT, PARKED, Live, SinglePosts, body, connect, live, post
from benchmarks.pickup import percentile
from benchmarks.run import Run
from benchmarks.subjects.client import GAP_S

CONNECTIONS = 32
SECONDS = 3.0
WARM_UP_S = 0.5
WARM = 20
BACKLOG = 120_000
"""More jobs than two workers run while they are measured."""
CREATED = b"HTTP/1.1 201"


def measure(run: Run) -> None:
    for _ in range(min(run.rounds, 3)):
        with run.trying(ORPHEUS, "post"):
            rates(run)
        with run.trying(ORPHEUS, "post"):
            to_start(run)


def rates(run: Run) -> None:
    """Submit over 32 connections, first with idle workers, then while they drain a backlog."""
    backlog, seconds = run.number(BACKLOG), SECONDS * run.size
    with live(2 * backlog, ONLY_DEFAULT) as system, bare_application() as bare_port:
        for subject, port in ((BARE_FASTAPI, bare_port), (ORPHEUS, system.port)):
            run.results.add("post", subject, asyncio.run(rate(port, CONNECTIONS, seconds)))
        system.fill(0, backlog)
        found = asyncio.run(rate(system.port, CONNECTIONS, seconds))
        run.results.add("post_draining", ORPHEUS, found)
        system.wait_until_run(0, backlog)
        singles = SinglePosts(system.port)
        system.fill(backlog, backlog)
        singles.start()
        system.wait_until_run(backlog, backlog)
        p99_s = percentile(singles.stop(), 0.99)
    run.results.add("post_beside_drain_p99", ORPHEUS, p99_s * 1000)


def to_start(run: Run) -> None:
    """Post a job to idle workers, wait until it has run, then post to the other application."""
    jobs = run.number(200)
    with live(WARM + jobs) as system, bare_application() as bare_port:
        bare, took_s, answered_s = connect(bare_port), [], []
        for n in range(WARM + jobs):
            took_s.append(posted_s(system, n))
            time.sleep(random.uniform(*GAP_S))
            began_s = time.monotonic()
            post(bare, "/jobs", body(n))
            answered_s.append(time.monotonic() - began_s)
    took_s, answered_s = sorted(took_s[WARM:]), sorted(answered_s[WARM:])
    run.results.add("post_to_start_p50", ORPHEUS, percentile(took_s, 0.5) * 1000)
    run.results.add("post_to_start_p99", ORPHEUS, percentile(took_s, 0.99) * 1000)
    run.results.add("round_trip_p50", BARE_FASTAPI, percentile(answered_s, 0.5) * 1000)


def posted_s(system: Live, n: int) -> float:
    """Return how long it took from the request to the handler's first line, in seconds."""
    time.sleep(random.uniform(*GAP_S))
    began_s = time.monotonic()
    post(system.connection, "/jobs", body(n))
    system.system.wait(lambda: system.system.effects.seen(n, 1) > 0)
    return system.system.effects.time_of(n) - began_s


class Connection(asyncio.Protocol):
    """Sends the next request when the last answer is complete."""

    def __init__(self, request: bytes, wants_more: Callable[[], bool]) -> None:
        self.closed = asyncio.get_running_loop().create_future()
        self._request = request
        self._wants_more = wants_more
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end or len(rest) < _length(head):
            return
        if not head.startswith(CREATED):
            raise SystemExit(f"the API answered {self._received[:500]!r}")
        self._received = b""
        if self._wants_more():
            self._transport.write(self._request)
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(error)


def _length(head: bytes) -> int:
    found = head.lower().partition(b"content-length: ")[2]
    return int(found.partition(b"\r\n")[0])


async def rate(port: int, connections: int, seconds: float) -> float:
    """Return how many jobs a second these connections submit, after a warm-up."""
    job = body(0, PARKED)
    head = f"POST /jobs HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(job)}\r\n\r\n".encode() + job
    begin_s = time.monotonic() + WARM_UP_S
    until_s = begin_s + seconds
    answers = 0

    def wants_more() -> bool:
        nonlocal answers
        now_s = time.monotonic()
        answers += begin_s <= now_s < until_s
        return now_s < until_s

    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: Connection(request, wants_more), "127.0.0.1", port))[
            1
        ]
        for _ in range(connections)
    ]
    errors = await asyncio.gather(*(client.closed for client in clients))
    if lost := [error for error in errors if error is not None]:
        raise SystemExit(f"{len(lost)} connections were lost: {lost[0]}")
    return answers / seconds
