"""Celery on Redis, two processes, without results, with a larger prefetch, as its guide advises."""

import os
import sys

from celery import Celery

from benchmarks.effects import record

WORKERS = [
    [
        *(sys.executable, "-m", "celery", "-A", "benchmarks.subjects.celery", "worker"),
        *("-c", "2", "-P", "prefork", "-l", "ERROR", "--prefetch-multiplier", "64"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
]
app = Celery("benchmarks", broker=os.environ["BENCHMARK_SERVER"])
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)


@app.task(name="effect")
def effect(n: int) -> int:
    return record(n)


def prepare() -> None:
    app.connection_for_write().ensure_connection()


def enqueue_one(n: int) -> None:
    effect.delay(n)


def enqueue_many(first: int, count: int) -> None:
    """Enqueue one by one, over one connection: Celery has no call for many."""
    with app.producer_pool.acquire(block=True) as producer:
        for n in range(first, first + count):
            effect.apply_async((n,), producer=producer)


def left() -> int:
    with app.connection_for_read() as connection:
        redis = connection.default_channel.client
        return int(redis.llen("celery") + redis.hlen("unacked"))
