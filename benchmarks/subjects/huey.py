"""Huey on SQLite, its consumer with two processes."""

import os
import sys

from huey import SqliteHuey

from benchmarks.effects import record

FSYNC = os.environ.get("BENCHMARK_SETTINGS") != "fsync=off"
TUNED = [] if FSYNC else ["-d", "0.001", "-m", "0.005", "-b", "1.1"]
WORKERS = [
    [
        *(sys.executable, "-m", "huey.bin.huey_consumer", "benchmarks.subjects.huey.app"),
        *("-k", "process", "-w", "2", "-q", *TUNED),
    ]
]
app = SqliteHuey(
    filename=f"{os.environ['BENCHMARK_FOLDER']}/huey.db", **({} if FSYNC else {"fsync": False})
)


@app.task()
def effect(n: int) -> int:
    return record(n)


def prepare() -> None:
    """Do nothing: the file exists."""


def enqueue_one(n: int) -> None:
    effect(n)


def enqueue_many(first: int, count: int) -> None:
    """Enqueue one by one: Huey has no call for many."""
    for n in range(first, first + count):
        effect(n)


def left() -> int:
    return int(app.pending_count())
