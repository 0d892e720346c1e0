"""Procrastinate on PostgreSQL, two worker processes with ten jobs at once each."""

import os
import sys

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from benchmarks.effects import record

SERVER = os.environ["BENCHMARK_SERVER"]
AT_ONCE = 1_000
WORKERS = [
    [
        *(sys.executable, "-m", "procrastinate", "--app=benchmarks.subjects.procrastinate.app"),
        *("worker", "--concurrency=10"),
    ]
] * 2
app = App(connector=PsycopgConnector(conninfo=SERVER))


@app.task(name="effect")
async def effect(n: int) -> int:
    return record(n)


client = App(connector=SyncPsycopgConnector(conninfo=SERVER))
deferrer = client.configure_task("effect", allow_unknown=True)


def prepare() -> None:
    client.open()
    client.schema_manager.apply_schema()


def enqueue_one(n: int) -> None:
    deferrer.defer(n=n)


def enqueue_many(first: int, count: int) -> None:
    end = first + count
    for begin in range(first, end, AT_ONCE):
        numbers = range(begin, min(begin + AT_ONCE, end))
        deferrer.batch_defer(*({"n": n} for n in numbers))


def left() -> int:
    waiting = client.connector.get_sync_connector().execute_query_one(
        "SELECT count(*) AS jobs FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    )
    return int(waiting["jobs"])
