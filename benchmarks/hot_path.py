"""Where the time of a short job goes in the database: statements, log pages and CPU for each job.

    uv run python -m benchmarks.hot_path [JOBS]

One process leases and finishes jobs in transactions of 1, 64 and 256. A statement's time is what
SQLite reports; what is left of the CPU time is Python's share. Nothing else writes, so no time is
waited for the lock.
"""

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store, open_store
from orpheus.shared.storage.sqlite.connection import SqliteDatabase

HOLDER = Holder("default-1", "benchmark", 1)
BATCHES = (1, 64, 256)
PAGE_BYTES = 4096
TTL_MS = 30_000

Statements = dict[str, tuple[float, float]]
"""By the first words of a statement: how often it ran for each job, and its microseconds."""


def opened(folder: str, jobs: int) -> Store:
    """Return a store with so many due jobs, and a log that nothing shortens."""
    store = open_store(f"sqlite:///{folder}/orpheus.db", create=True)
    for _ in range(jobs // 1000):
        store.jobs.submit_many([NewJob("wordcount", payload='{"text":"a b"}')] * 1000)
    store._database.run("PRAGMA wal_autocheckpoint = 0")  # noqa: SLF001 - to count the log's pages
    return store


def drain(store: Store, batch: int, jobs: int) -> list[float]:
    """Lease and finish `jobs` jobs; return the CPU microseconds of each transaction, per job."""
    finished: list[Finished] = []
    costs = []
    for _ in range(jobs // batch):
        began_s = time.thread_time()
        with store.write(durable=True):
            if finished:
                store.leases.finish(finished)
            leases = store.leases.lease(HOLDER, ["*"], batch, TTL_MS)
        costs.append((time.thread_time() - began_s) * 1e6 / batch)
        finished = [Finished(lease, Ending.SUCCEEDED, '{"words":2}') for lease in leases]
    return costs


def statements_of(store: Store, batch: int, jobs: int) -> Statements:
    """Drain so many jobs and return what each statement costs."""
    taken: dict[str, list[int]] = defaultdict(list)
    database = store._database  # noqa: SLF001 - where SQLite tells its times
    assert isinstance(database, SqliteDatabase)
    with database._handle as connection:  # noqa: SLF001
        connection.set_profile(lambda sql, took_ns: taken[_first_words(sql)].append(took_ns))
        drain(store, batch, jobs)
        connection.set_profile(None)
    return {sql: (len(all_) / jobs, sum(all_) / 1000 / jobs) for sql, all_ in taken.items()}


def _first_words(sql: str) -> str:
    text = " ".join(line for line in sql.splitlines() if not line.startswith("--"))
    return " ".join(text.split())[:48]


def main() -> None:
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 4096
    for batch in BATCHES:
        some = max(batch * 4, jobs if batch > 1 else jobs // 4)
        with tempfile.TemporaryDirectory() as folder:
            store = opened(folder, 3 * some + 1000)
            log = Path(folder, "orpheus.db-wal")
            drain(store, batch, batch * 4)
            before_bytes = log.stat().st_size
            cost_us = statistics.median(drain(store, batch, some))
            pages = (log.stat().st_size - before_bytes) / PAGE_BYTES / some
            statements = statements_of(store, batch, some)
            store.close()
        executed = sum(often for often, _ in statements.values())
        print(
            f"\n{batch} in a transaction: {cost_us:.1f} us of CPU a job, {executed:.2f} statements,"
        )
        print(f"{pages:.2f} pages of log")
        for sql, (often, took_us) in sorted(statements.items(), key=lambda one: -one[1][1])[:12]:
            print(f"  {took_us:7.2f} us  {often:5.2f} x  {sql}")


if __name__ == "__main__":
    main()
