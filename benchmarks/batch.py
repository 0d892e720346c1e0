"""Batches of 10,000 jobs over HTTP, and how long other requests wait meanwhile.

The others are single jobs, each a commit, on a connection and a thread of their own.
"""

import json
import time

from benchmarks.catalog import ORPHEUS
from benchmarks.live import ONLY_DEFAULT, PARKED, SinglePosts, live, post
from benchmarks.pickup import percentile
from benchmarks.run import Run

JOBS = 10_000
BATCHES = 5


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
        others = SinglePosts(system.port)
        others.start()
        for _ in range(BATCHES):
            post(system.connection, "/jobs/batch", text)
        waited_s = others.stop()
    run.results.add("batch", ORPHEUS, BATCHES * size / took_s)
    run.results.add("batch_delay", ORPHEUS, waited_s[-1] * 1000)
    run.results.add("post_beside_batch_p99", ORPHEUS, percentile(waited_s, 0.99) * 1000)
