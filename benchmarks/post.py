"""Measure what group commit gains: POST /jobs over many keep-alive connections.

It runs the real API (`python -m api`) with `durability = "power"`, in turn as it is and with a
writer that commits each request alone, and prints both with their ratio: absolute figures depend on
the machine and its disk, ratios less so. The client writes prepared bytes to plain sockets, so that
it takes little time itself; its share of the time is printed, too.

    uv run python benchmarks/post.py [--connections N] [--seconds S] [--rounds N] [--folder DIR]
"""

import argparse
import asyncio
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
BODY = b'{"type":"sum_range","payload":{"n":3}}'
CREATED = b"HTTP/1.1 201"
ALONE = "import orpheus.api.database.writer as writer; writer._LARGEST_GROUP = 1; "
START = "from orpheus.api.__main__ import main; main()"
VARIANTS = {"group commit": START, "one by one": ALONE + START}
WARM_UP_S = 0.5


@dataclass(frozen=True)
class Measured:
    jobs_per_second: float
    p50_ms: float
    p99_ms: float
    client_share: float
    """Share of one core."""


class Connection(asyncio.Protocol):
    """Sends the next request when the last answer is complete."""

    def __init__(self, request: bytes, answered: Callable[[float], bool]) -> None:
        self.closed = asyncio.get_running_loop().create_future()
        self._request = request
        self._answered = answered
        self._received = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        if not head.startswith(CREATED):
            raise SystemExit(f"the API answered {self._received[:500]!r}")
        self._received = b""
        if self._answered(self._sent_at):
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(error)


def _length(head: bytes) -> int:
    found = head.lower().partition(b"content-length: ")[2]
    return int(found.partition(b"\r\n")[0])


async def load(port: int, connections: int, seconds: float) -> Measured:
    """Run `connections` clients that submit for `seconds`, after a warm-up."""
    head = f"POST /jobs HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    begin = time.perf_counter() + WARM_UP_S
    until = begin + seconds
    took_s: list[float] = []

    def answered(sent_at: float) -> bool:
        now = time.perf_counter()
        if begin <= now < until:
            took_s.append(now - sent_at)
        return now < until

    loop = asyncio.get_running_loop()
    cpu_s = time.process_time()
    clients = [
        (await loop.create_connection(lambda: Connection(request, answered), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    for error in await asyncio.gather(*(client.closed for client in clients)):
        if error is not None or not took_s:
            raise SystemExit(f"a connection was lost: {error}")
    share = (time.process_time() - cpu_s) / (seconds + WARM_UP_S)
    took_s.sort()
    return Measured(
        len(took_s) / seconds,
        took_s[len(took_s) // 2] * 1000,
        took_s[int(len(took_s) * 0.99)] * 1000,
        share,
    )


def measure(program: str, folder: Path, connections: int, seconds: float) -> Measured:
    """Run a fresh API on a fresh database under load."""
    url = f"sqlite:///{folder}/data/orpheus.db"
    settings = ("api.port=0", f"database.url={url}", "database.durability='power'")
    sets = [part for one in settings for part in ("--set", one)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ORPHEUS_")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *sets],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            env=environment,
        )
    try:
        return asyncio.run(load(port_of(process, folder / "log"), connections, seconds))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def port_of(process: subprocess.Popen[bytes], log: Path) -> int:
    while not (
        (text := log.read_text()) and "api_ready" in text and (found := ADDRESS.search(text))
    ):
        if process.poll() is not None:
            raise SystemExit(f"the API ended with {process.returncode}:\n{text}")
        time.sleep(0.02)
    return int(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the database is made")
    options = parser.parse_args()
    found: dict[str, list[Measured]] = {name: [] for name in VARIANTS}
    for _ in range(options.rounds):
        for name, program in VARIANTS.items():
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                measured = measure(program, Path(folder), options.connections, options.seconds)
            found[name].append(measured)
    print(f"POST /jobs, {options.connections} keep-alive connections, durability = power")
    for name, rounds in found.items():
        rates = [one.jobs_per_second for one in rounds]
        middle = sorted(rounds, key=lambda one: one.jobs_per_second)[len(rounds) // 2]
        print(
            f"{name:14} {middle.jobs_per_second:7,.0f} jobs/s (median of {len(rounds)}; "
            f"{min(rates):,.0f} to {max(rates):,.0f}), p50 {middle.p50_ms:.1f} ms, "
            f"p99 {middle.p99_ms:.1f} ms; the client takes {middle.client_share:.0%} of a core"
        )
    grouped, alone = (
        statistics.median(one.jobs_per_second for one in rounds) for rounds in found.values()
    )
    print(f"{'ratio':14} {grouped / alone:7.1f}")


if __name__ == "__main__":
    main()
