"""Measure whether a thousand WebSocket clients keep up with 20,000 jobs, and what they cost.

It starts the real system (supervisor, API, two workers) twice, with few clients and with many, each
of which reads everything while jobs run. It checks that every client gets every seq in order (a
`reset` is counted), and prints the time from the commit of an event to the last client that gets
it, the API's memory, its CPU time for each event and client, and the ratios.

    uv run python -m benchmarks.stream [--clients N] [--jobs N] [--few N] [--plain]
"""

import argparse
import base64
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store, open_store

ROOT = Path(__file__).parents[1]
BATCH = 500
MOST_WAITING = 2_000
GIVE_UP_S = 300.0
SEQ = re.compile(rb'\{"seq":(\d+),"at":"([^"]+)"')
RESET = b'{"type":"reset"'
PACKED = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
HELLO = b'{"type":"hello","seq":'


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

    def percentile(self, part: float) -> float:
        return self.latencies_s[int(part * (len(self.latencies_s) - 1))]


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    while not condition():
        if process.poll() is not None:
            raise SystemExit(f"the supervisor ended with {process.returncode}")
        threading.Event().wait(0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Load(threading.Thread):
    """Submits jobs, so that a few always wait, until all are done."""

    def __init__(self, url: str, jobs: int) -> None:
        super().__init__()
        self._url = url
        self._jobs = jobs
        self.last_seq: int | None = None
        """Return the seq of the last event when all jobs are done."""

    def run(self) -> None:
        store = open_store(self._url)
        left = self._jobs
        while (counts := store.stats.counts())[Status.DONE] < self._jobs:
            size = min(BATCH, left)
            if size and counts[Status.PENDING] < MOST_WAITING:
                store.jobs.submit_many([NewJob("wordcount", payload='{"text":"a b"}')] * size)
                left -= size
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


def run(clients: int, jobs: int, packed: bool) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        url, port = f"sqlite:///{folder}/data/orpheus.db", free_port()
        settings = {
            "api.port": port,
            "api.max_clients": clients + 100,
            "pools.default.workers": 2,
            "database.url": url,
        }
        sets = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        process = subprocess.Popen(
            [sys.executable, "-m", "orpheus.supervisor", *sets], cwd=ROOT, stdout=-3, stderr=-3
        )
        try:
            wait_for(lambda: Path(folder, "data", "orpheus.db").exists(), process)
            store = open_store(url, create=True)
            wait_for(lambda: _ready(store), process)
            figures = measure(store, url, port, clients, jobs, Audience(packed))
            store.close()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    return figures


def _ready(store: Store) -> bool:
    slots = store.processes.slots()
    return len(slots) == 4 and all(slot.state == "ready" for slot in slots)


def measure(
    store: Store, url: str, port: int, clients: int, jobs: int, audience: Audience
) -> Figures:
    connected = [Client(port, audience) for _ in range(clients)]
    first = store.events.last_seq()
    follow(connected, lambda: first)
    pid = api_pid(store)
    cpu_before_s, began_s = cpu_s(pid), time.monotonic()
    load = Load(url, jobs)
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


def show(one: Figures) -> None:
    print(
        f"{one.clients:5} clients: {one.events:,} events in {one.took_s:.1f} s; commit to last "
        f"client p50 {one.percentile(0.5) * 1000:,.0f} ms, p99 {one.percentile(0.99) * 1000:,.0f} "
        f"ms; API {one.rss_mb:.0f} MB at its peak, {one.cpu_us:.2f} us of CPU for each event and "
        f"client; {one.resets} resets, {one.gaps} gaps"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--plain", action="store_true", help="clients that take no compression")
    asked = parser.parse_args()
    few, many = (run(n, asked.jobs, not asked.plain) for n in (asked.few, asked.clients))
    show(few)
    show(many)
    print(
        f"ratio: p99 {many.percentile(0.99) / few.percentile(0.99):.1f}, CPU for each event and "
        f"client {many.cpu_us / few.cpu_us:.2f}"
    )
    sys.exit(1 if few.gaps or many.gaps else 0)


if __name__ == "__main__":
    main()
