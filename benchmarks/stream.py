"""Whether a thousand WebSocket clients keep up with 200 events a second, and what they cost.

Each client reads everything while jobs run. Every client must get every seq in order; a `reset` is
counted. The time is that from the commit of an event to the last client that gets it.
"""

import base64
import math
import os
import re
import selectors
import socket
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from benchmarks.catalog import ORPHEUS
from benchmarks.live import live
from benchmarks.pickup import percentile
from benchmarks.run import Run
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store, open_store

CLIENTS = 1_000
JOBS = 1_000
JOBS_PER_SECOND = 67
"""Three events each: enqueued, started, done."""
BATCH = 500
MOST_WAITING = 2_000
GIVE_UP_S = 300.0
SEQ = re.compile(rb'\{"seq":(\d+),"at":"([^"]+)"')
RESET = b'{"type":"reset"'
PACKED = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
HELLO = b'{"type":"hello","seq":'


def measure(run: Run) -> None:
    """Measure once: it is a thousand clients."""
    clients, jobs = run.number(CLIENTS), run.number(JOBS)
    with (
        run.trying(ORPHEUS, "stream"),
        live(
            1, f"api.max_clients={clients + 100}", "jobs.modules=['orpheus.worker.handlers']"
        ) as o,
    ):
        found = follow_jobs(
            o.store, o.url, o.port, clients, jobs, Audience(packed=True), JOBS_PER_SECOND
        )
        if found.gaps:
            raise SystemExit(f"the stream has {found.gaps} gaps")
        run.results.add("stream_p99", ORPHEUS, percentile(found.latencies_s, 0.99) * 1000)
        run.results.add("stream_rss", ORPHEUS, found.rss_mb)


@dataclass
class Sent:
    """A message that clients received, and when the last client received it."""

    begin: bytes
    seqs: list[int]
    at_s: list[float]
    last_s: float = 0.0


@dataclass
class Audience:
    """What all clients received. All receive the same bytes, so each message is parsed once."""

    packed: bool
    """Whether they ask for compression, as browsers do."""
    messages: dict[bytes, Sent] = field(default_factory=dict)
    resets: int = 0
    gaps: int = 0

    def got(self, payload: bytes, is_packed: bool, now_s: float) -> Sent:
        known = self.messages.get(payload)
        if known is None:
            text = unpacked(payload) if is_packed else payload
            found = SEQ.findall(text)
            at_s = [datetime.fromisoformat(at.decode()).timestamp() for _, at in found]
            known = Sent(text[:64], [int(seq) for seq, _ in found], at_s)
            self.messages[payload] = known
        known.last_s = now_s
        return known


def unpacked(payload: bytes) -> bytes:
    """A message of permessage-deflate without context takeover."""
    return zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff")


class Client:
    """A WebSocket that only reads, with no more work for each byte than needed."""

    def __init__(self, port: int, audience: Audience) -> None:
        self.seq = -1
        self.events = 0
        self._audience = audience
        self._buffer = bytearray()
        self.socket = socket.create_connection(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\n{PACKED if audience.packed else ''}\r\n".encode()
        )
        head = bytearray()
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1) or b"\r\n\r\n"
        if not head.startswith(b"HTTP/1.1 101"):
            raise SystemExit(f"no stream: {head.decode()}")
        self.socket.setblocking(False)

    def read(self, scratch: bytearray) -> None:
        """Read what has arrived."""
        try:
            size = self.socket.recv_into(scratch)
        except BlockingIOError:
            return
        if not size:
            raise SystemExit("the API closed a client's connection")
        self._buffer += memoryview(scratch)[:size]
        now_s = time.time()
        while (frame := self._next()) is not None:
            self._take(*frame, now_s)

    def _next(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 10:
            return None
        short = buffer[1]
        begin = {126: 4, 127: 10}.get(short, 2)
        size = int.from_bytes(buffer[2:begin]) if short > 125 else short
        if len(buffer) < begin + size:
            return None
        payload = bytes(memoryview(buffer)[begin : begin + size])
        first = buffer[0]
        del buffer[: begin + size]
        return first, payload

    def _take(self, first: int, payload: bytes, now_s: float) -> None:
        if first & 15 == 9:  # a ping; a mask of zeros leaves the payload as it is
            self.socket.send(bytes([0x8A, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
            return
        got = self._audience.got(payload, bool(first & 0x40), now_s)
        if got.begin.startswith(HELLO):
            self.seq = int(got.begin[len(HELLO) :].split(b",", 1)[0])
        elif got.begin.startswith(RESET):
            self._audience.resets += 1
        elif got.seqs:
            self._audience.gaps += got.seqs != list(
                range(self.seq + 1, self.seq + len(got.seqs) + 1)
            )
            self.seq = got.seqs[-1]
            self.events += len(got.seqs)


@dataclass(frozen=True)
class Figures:
    """The result of one run. `latencies_s`: of each event, to the last client."""

    clients: int
    events: int
    took_s: float
    latencies_s: list[float]
    resets: int
    gaps: int
    rss_mb: float
    cpu_us: float
    """The API's, for each event and client."""


class Load(threading.Thread):
    """Submits jobs at this rate, and so that few wait, until all are done."""

    def __init__(self, url: str, jobs: int, per_second: float) -> None:
        super().__init__()
        self._url = url
        self._jobs = jobs
        self._per_second = per_second
        self.last_seq: int | None = None
        """The seq of the last event, when all jobs are done."""

    def run(self) -> None:
        store = open_store(self._url)
        sent, began_s = 0, time.monotonic()
        while (counts := store.stats.counts())[Status.DONE] < self._jobs:
            due = min(self._jobs, (time.monotonic() - began_s) * self._per_second)
            size = min(BATCH, int(due) - sent)
            if size and counts[Status.PENDING] < MOST_WAITING:
                store.jobs.submit_many([NewJob("wordcount", payload='{"text":"a b"}')] * size)
                sent += size
            else:
                threading.Event().wait(0.02)
        self.last_seq = store.events.last_seq()
        store.close()


def api_pid(store: Store) -> int:
    return next(slot.pid or 0 for slot in store.processes.slots() if slot.slot == "api")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def follow(clients: list[Client], last_seq: Callable[[], int | None]) -> None:
    """Read for all clients until each one has the last event."""
    scratch = bytearray(1_048_576)
    waiting = selectors.DefaultSelector()
    for client in clients:
        waiting.register(client.socket, selectors.EVENT_READ, client)
    give_up_at = time.monotonic() + GIVE_UP_S
    while (until := last_seq()) is None or min(client.seq for client in clients) < until:
        if time.monotonic() > give_up_at:
            raise SystemExit(f"the clients have {sorted({c.seq for c in clients})} of {until}")
        for ready, _ in waiting.select(0.1):
            ready.data.read(scratch)
    waiting.close()


def follow_jobs(
    store: Store,
    url: str,
    port: int,
    clients: int,
    jobs: int,
    audience: Audience,
    per_second: float = math.inf,
) -> Figures:
    """Run jobs while clients read, at most so many a second."""
    connected = [Client(port, audience) for _ in range(clients)]
    first = store.events.last_seq()
    follow(connected, lambda: first)
    pid = api_pid(store)
    cpu_before_s, began_s = cpu_s(pid), time.monotonic()
    load = Load(url, jobs, per_second)
    load.start()
    follow(connected, lambda: load.last_seq)
    took_s = time.monotonic() - began_s
    used_s = cpu_s(pid) - cpu_before_s
    load.join()
    events = connected[0].seq - first
    for client in connected:
        client.socket.close()
    latencies_s = sorted(
        sent.last_s - at_s for sent in audience.messages.values() for at_s in sent.at_s
    )
    return Figures(
        clients,
        events,
        took_s,
        latencies_s,
        audience.resets,
        audience.gaps,
        peak_rss_mb(pid),
        used_s / events / clients * 1e6,
    )
