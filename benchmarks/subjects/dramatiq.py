"""dramatiq on Redis, two processes with its default of eight threads each."""

import os
import sys

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.effects import record

WORKERS = [
    [
        *(sys.executable, "-m", "dramatiq", "benchmarks.subjects.dramatiq"),
        *("-p", "2", "-t", "8", "--skip-logging"),
    ]
]
broker = RedisBroker(url=os.environ["BENCHMARK_SERVER"])
dramatiq.set_broker(broker)


@dramatiq.actor
def effect(n: int) -> int:
    return record(n)


def prepare() -> None:
    broker.client.ping()


def enqueue_one(n: int) -> None:
    effect.send(n)


def enqueue_many(first: int, count: int) -> None:
    """Enqueue one by one: the Redis broker has no call for many."""
    for n in range(first, first + count):
        effect.send(n)


def left() -> int:
    return int(broker.client.hlen("dramatiq:default.msgs"))
