"""Absurd on PostgreSQL, two workers with four tasks at once each; each task has ten steps.

Four, as in its guide, are quicker than one, its default, and than ten.
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from absurd_sdk import Absurd

from benchmarks.effects import STEPS, record

URL = os.environ["BENCHMARK_SERVER"]
QUEUE = "default"
WORKERS = [[sys.executable, "-m", "benchmarks.subjects.absurd"]] * 2


@cache
def app() -> Absurd:
    return Absurd(URL, queue_name=QUEUE)


@cache
def connection() -> psycopg.Connection:
    return psycopg.connect(URL, autocommit=True)


def ten_steps(params: Any, ctx: Any) -> int:
    first = STEPS * int(params["n"])
    for step in range(STEPS):
        ctx.step(f"step {step}", lambda number=first + step: record(number))
    return first


def prepare() -> None:
    """Make the schema, which `absurdctl` contains, and the queue."""
    absurdctl = Path(sys.executable).with_name("absurdctl")
    for command in (["init"], ["create-queue", QUEUE]):
        subprocess.run([absurdctl, *command, "-d", URL], check=True, stdout=sys.stderr)


def enqueue_one(n: int) -> None:
    app().spawn("ten_steps", {"n": n}, queue=QUEUE)


def enqueue_many(first: int, count: int) -> None:
    """Enqueue one by one: the client has no call for many."""
    for n in range(first, first + count):
        enqueue_one(n)


def left() -> int:
    [(count,)] = connection().execute(
        f"SELECT count(*) FROM absurd.t_{QUEUE} WHERE state NOT IN ('completed', 'failed')"
    )
    return int(count)


if __name__ == "__main__":
    app().register_task("ten_steps")(ten_steps)
    app().start_worker(concurrency=4)
