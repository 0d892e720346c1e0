"""Batches of 10,000 jobs over HTTP, and how long other requests wait meanwhile.

The others are single jobs, each a commit, on a connection and a thread of their own.
"""

import json
import threading
import time

from benchmarks.catalog import ORPHEUS
from benchmarks.live import ONLY_DEFAULT, PARKED, body, connect, live, post
from benchmarks.run import Run

JOBS = 10_000
BATCHES = 5
GAP_S = 0.002


class Others(threading.Thread):
    """Posts single jobs until it is stopped, and keeps the longest time of one."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._stop_asked = threading.Event()
        self.longest_s = 0.0

    def run(self) -> None:
        connection = connect(self._port)
        post(connection, "/jobs", body(0, PARKED))
        while not self._stop_asked.wait(GAP_S):
            began_s = time.monotonic()
            post(connection, "/jobs", body(0, PARKED))
            self.longest_s = max(self.longest_s, time.monotonic() - began_s)
        connection.close()

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


def measure(run: Run) -> None:
    for _ in range(min(run.rounds, 3)):
        with run.trying(ORPHEUS, "batch"):
            batches(run)


def batches(run: Run) -> None:
    size = min(JOBS, run.number(JOBS))
    jobs = [{"type": "effect", "queue": PARKED, "payload": {"n": n}} for n in range(size)]
    text = json.dumps({"jobs": jobs}).encode()
    with live(1, ONLY_DEFAULT) as system:
        post(system.connection, "/jobs/batch", text)
        began_s = time.monotonic()
        for _ in range(BATCHES):
            post(system.connection, "/jobs/batch", text)
        took_s = time.monotonic() - began_s
        others = Others(system.port)
        others.start()
        for _ in range(BATCHES):
            post(system.connection, "/jobs/batch", text)
        others.stop()
    run.results.add("batch", ORPHEUS, BATCHES * size / took_s)
    run.results.add("batch_delay", ORPHEUS, others.longest_s * 1000)
