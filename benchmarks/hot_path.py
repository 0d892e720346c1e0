"""Where the time of a short job goes in the database: statements, log pages and CPU for each job.

    uv run python -m benchmarks.hot_path [JOBS]

One process leases and finishes jobs in transactions of 1, 64 and 256. A statement's time is what
SQLite reports; what is left of the CPU time is Python's share. Nothing else writes, so no time is
waited for the lock. For each table and index, it prints how many of its pages a commit writes.
"""

import statistics
import struct
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from unittest.mock import patch

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store, open_store
from orpheus.shared.storage.sqlite import turns
from orpheus.shared.storage.sqlite.connection import SqliteDatabase

HOLDER = Holder("default-1", "benchmark", 1)
BATCHES = (1, 64, 256)
PAGE_BYTES = 4096
LOG_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
TTL_MS = 30_000

Statements = dict[str, tuple[float, float]]
"""By the first words of a statement: how often it ran for each job, and its microseconds."""


def opened(folder: str, jobs: int) -> Store:
    """Return a store with so many due jobs."""
    store = open_store(f"sqlite:///{folder}/orpheus.db", create=True)
    for _ in range(jobs // 1000):
        store.jobs.submit_many([NewJob("wordcount", payload='{"text":"a b"}')] * 1000)
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


def pages_of(store: Store, log: Path, from_byte: int) -> Counter[str]:
    """Return by table or index how many of its pages were written to the log from there on."""
    names: dict[int, str] = dict(store._database.all("SELECT pageno, name FROM dbstat"))  # noqa: SLF001
    written = log.read_bytes()[max(from_byte, LOG_HEADER_BYTES) :]
    starts = range(0, len(written), FRAME_HEADER_BYTES + PAGE_BYTES)
    numbers = (struct.unpack_from(">I", written, start)[0] for start in starts)
    return Counter(names.get(number, "SQLite's own") for number in numbers)


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
            pages = pages_of(store, log, before_bytes)
            statements = statements_of(store, batch, some)
            store.close()
        executed = sum(often for often, _ in statements.values())
        print(
            f"\n{batch} in a transaction: {cost_us:.1f} us of CPU a job, {executed:.2f} statements,"
        )
        print(f"{pages.total() / some:.2f} pages of log; in each commit, of")
        commits = some // batch
        print("  " + ", ".join(f"{name} {n / commits:.2f}" for name, n in pages.most_common()))
        for sql, (often, took_us) in sorted(statements.items(), key=lambda one: -one[1][1])[:12]:
            print(f"  {took_us:7.2f} us  {often:5.2f} x  {sql}")


if __name__ == "__main__":
    with patch.object(turns, "shorten"):  # to count the pages of the log
        main()
