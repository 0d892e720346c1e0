"""SAQ on Redis, two worker processes with its default of ten jobs at once each."""

import asyncio
import os
import sys
from typing import Any

from saq import Queue

from benchmarks.effects import record

AT_ONCE = 100
WORKERS = [
    [sys.executable, "-m", "saq", "benchmarks.subjects.saq.settings", "--workers", "2", "-q"]
]
queue = Queue.from_url(os.environ["BENCHMARK_SERVER"])
loop = asyncio.new_event_loop()


async def effect(_context: dict[str, Any], *, n: int) -> int:
    return record(n)


settings = {"queue": queue, "functions": [effect]}


def prepare() -> None:
    """Sweep, so that no worker sweeps within the next minute.

    A worker that starts sweeps: it takes a job that the other one has just leased for lost, and
    runs it again 5 s later. The drain would measure that.
    """
    loop.run_until_complete(queue.connect())
    loop.run_until_complete(queue.sweep())


def enqueue_one(n: int) -> None:
    loop.run_until_complete(queue.enqueue("effect", n=n))


def enqueue_many(first: int, count: int) -> None:
    loop.run_until_complete(_enqueue_many(first, count))


async def _enqueue_many(first: int, count: int) -> None:
    end = first + count
    for begin in range(first, end, AT_ONCE):
        numbers = range(begin, min(begin + AT_ONCE, end))
        await asyncio.gather(*(queue.enqueue("effect", n=n) for n in numbers))


def left() -> int:
    return int(loop.run_until_complete(queue.count("incomplete")))
