"""How large the API gets under load for long.

    uv run python -m benchmarks.endurance --minutes 60

A whole Orpheus with two workers gets jobs over HTTP, most in batches, some one by one. Meanwhile
a client follows the stream and makes the calls of an open overview. The memory of the API is
printed each ten seconds: RSS is what the kernel counts, USS what would be free if the process
ended. Jobs that are done are deleted after ten minutes, so that the file stays small.
"""

import argparse
import http.client
import json
import statistics
import threading
import time

import psutil
from websockets.sync.client import connect

from benchmarks import live
from benchmarks.live import Live
from orpheus.shared.domain.jobs import Status

EVERY_S = 10.0
BATCHES_PER_SECOND = 4
MOST_WAITING = 20_000
OVERVIEW = ("/stats", "/alerts", "/jobs?limit=10&preview=true")
SETTINGS = ("jobs.modules=['orpheus.worker.handlers']", "retention.done='10m'")


class Reader(threading.Thread):
    """Follows a stream and counts what it gets, but keeps none of it."""

    def __init__(self, port: int, stop: threading.Event) -> None:
        super().__init__()
        self.address = f"ws://127.0.0.1:{port}/ws"
        self.stop = stop
        self.bytes = 0
        self.resets = 0

    def run(self) -> None:
        with connect(self.address, max_size=None) as socket:
            while not self.stop.is_set():
                message = socket.recv()  # a heartbeat comes each second
                self.bytes += len(message)
                self.resets += str(message[:20]).startswith('{"type":"reset"')


class Overview(threading.Thread):
    """Asks for what an open overview asks for."""

    def __init__(self, port: int, stop: threading.Event) -> None:
        super().__init__()
        self.connection = live.connect(port)
        self.stop = stop

    def run(self) -> None:
        while not self.stop.wait(5):
            for path in OVERVIEW:
                self.connection.request("GET", path)
                self.connection.getresponse().read()


class Load(threading.Thread):
    """Submits so many jobs a second, unless so many wait that the workers are too slow for it."""

    def __init__(self, system: Live, per_second: int, stop: threading.Event) -> None:
        super().__init__()
        self.system = system
        self.stop = stop
        self.jobs = max(1, per_second // BATCHES_PER_SECOND)
        self.sent = 0

    def run(self) -> None:
        job = {"type": "wordcount", "payload": {"text": "a short text of a few words"}}
        batch = json.dumps({"jobs": [job] * self.jobs}).encode()
        connection, due_s = live.connect(self.system.port), time.monotonic()
        while not self.stop.wait(max(0.0, due_s - time.monotonic())):
            if waiting(connection) < MOST_WAITING:
                live.post(connection, "/jobs/batch", batch)
                live.post(connection, "/jobs", json.dumps(job).encode())
                self.sent += self.jobs + 1
            due_s = max(due_s + 1 / BATCHES_PER_SECOND, time.monotonic() - 1)


def waiting(connection: http.client.HTTPConnection) -> int:
    """Return how many jobs are pending, as `GET /stats` says."""
    connection.request("GET", "/stats")
    count: int = json.load(connection.getresponse())["counts"]["pending"]
    return count


def main(minutes: float, per_second: int) -> None:
    """Print a line each ten seconds, and at the end how much the memory grew."""
    stop = threading.Event()
    with live.live(1, *SETTINGS) as system:
        reader = Reader(system.port, stop)
        load = Load(system, per_second, stop)
        threads = [reader, Overview(system.port, stop), load]
        for thread in threads:
            thread.start()
        try:
            used = watched(system, reader, load, minutes * 60)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    part = max(1, len(used) // 4)
    second, last = statistics.mean(used[part : 2 * part]), statistics.mean(used[-part:])
    print(f"USS in the second quarter {second:.1f} MB, in the last {last:.1f} MB")


def watched(system: Live, reader: Reader, load: Load, seconds: float) -> list[float]:
    """Print how it goes; return the USS of the API in MB, one for each line."""
    process, used = psutil.Process(system.pid("api")), list[float]()
    print("minute  jobs sent  done, /s  RSS, MB  USS, MB  events, KB/s  resets")
    began_s, ended = time.monotonic(), 0
    while (passed_s := time.monotonic() - began_s) < seconds:
        before, told = ended, reader.bytes
        time.sleep(EVERY_S)
        memory, counts = process.memory_full_info(), system.store.stats.counts()
        ended = load.sent - counts.get(Status.PENDING, 0) - counts.get(Status.IN_PROGRESS, 0)
        used.append(memory.uss / 1e6)
        events = (reader.bytes - told) / 1e3 / EVERY_S
        print(
            f"{(passed_s + EVERY_S) / 60:6.1f} {load.sent:10,} {(ended - before) / EVERY_S:9,.0f}"
            f" {memory.rss / 1e6:8.1f} {used[-1]:8.1f} {events:13.1f}"
            f" {reader.resets:7}",
            flush=True,
        )
    return used


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--per-second", type=int, default=2_000, help="jobs submitted")
    main(**vars(parser.parse_args()))
