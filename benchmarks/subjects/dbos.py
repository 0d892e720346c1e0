"""DBOS, two processes that take workflows from one queue without a limit.

With the setting `steps`, each workflow has ten steps.
"""

import os
import sys
import threading
from functools import cache

from dbos import DBOS, DBOSClient, DBOSConfig

from benchmarks.effects import STEPS, record

URL = os.environ.get("BENCHMARK_SERVER") or f"sqlite:///{os.environ['BENCHMARK_FOLDER']}/dbos.db"
QUEUE = "benchmark"
VERSION = "1"
WORKERS = [[sys.executable, "-m", "benchmarks.subjects.dbos", name] for name in ("one", "two")]


@DBOS.step()
def step(n: int) -> int:
    return record(n)


def ten_steps(n: int) -> int:
    for number in range(STEPS):
        step(STEPS * n + number)
    return n


def launch(name: str) -> None:
    """Start DBOS in this process, with the workflow and the queue."""
    config: DBOSConfig = {
        "name": "benchmark",
        "system_database_url": URL,
        "application_version": VERSION,
        "executor_id": name,
        "log_level": "ERROR",
    }
    DBOS(config=config)
    has_steps = os.environ["BENCHMARK_SETTINGS"] == "steps"
    DBOS.workflow(name="effect")(ten_steps if has_steps else record)
    DBOS.launch()
    DBOS.register_queue(QUEUE)


def prepare() -> None:
    """Make the schema, which the client does not."""
    launch("client")
    DBOS.destroy()


@cache
def client() -> DBOSClient:
    return DBOSClient(system_database_url=URL)


def enqueue_one(n: int) -> None:
    client().enqueue({"workflow_name": "effect", "queue_name": QUEUE, "app_version": VERSION}, n)


def enqueue_many(first: int, count: int) -> None:
    """Enqueue one by one: the client has no call for many."""
    for n in range(first, first + count):
        enqueue_one(n)


def left() -> int:
    """Return 1 if there are any: a list of all of them would slow the workers down."""
    return len(client().list_queued_workflows(limit=1, load_input=False, load_output=False))


if __name__ == "__main__":
    launch(sys.argv[1])
    threading.Event().wait()
