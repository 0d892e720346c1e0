"""RQ on Redis, a pool of two workers that run jobs without a fork for each (SimpleWorker)."""

import os
import sys

from redis import Redis
from rq import Queue

from benchmarks.effects import record

SERVER = os.environ["BENCHMARK_SERVER"]
AT_ONCE = 500
WORKERS = [
    [
        *(sys.executable, "-m", "rq.cli", "worker-pool", "default", "-n", "2", "-q"),
        *("-w", "rq.worker.SimpleWorker", "-u", SERVER),
    ]
]
queue = Queue(connection=Redis.from_url(SERVER))


def prepare() -> None:
    queue.connection.ping()


def enqueue_one(n: int) -> None:
    queue.enqueue(record, n)


def enqueue_many(first: int, count: int) -> None:
    end = first + count
    for begin in range(first, end, AT_ONCE):
        numbers = range(begin, min(begin + AT_ONCE, end))
        queue.enqueue_many([Queue.prepare_data(record, (n,)) for n in numbers])


def left() -> int:
    return int(queue.count + queue.started_job_registry.count)
