"""Compare a database of a million waiting and a million finished jobs with an almost empty one.

It fills a database directly, then times each hot call of the store on both in turn, so that other
load on the machine affects both. It prints the medians and their ratio, and exits 1 if a ratio is
over the goal.

    uv run python -m benchmarks.scale [--jobs N] [--rounds N] [--folder DIR]
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from orpheus.shared.domain.jobs import Holder, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.domain.retention import RetentionRules
from orpheus.shared.storage import Finished, JobFilter, Store, database_path, open_store

GOAL = 1.5
NOISE_MS = 0.02  # below this, a ratio measures the clock rather than the database
SMALL = 200
HOLDER = Holder("default-1", "benchmark", 1)
BATCH = 64
DAY_MS = 86_400_000
KEEP = RetentionRules(done_s=7 * 86_400, failed_s=7 * 86_400, cancelled_s=7 * 86_400, events=10**9)

FILL = """
INSERT INTO jobs (id, type, payload, status, queue, priority, is_due, result, attempt, max_retries,
    timeout_s, created_at_ms, run_at_ms, started_at_ms, finished_at_ms, worker, worker_pid,
    lease_token)
WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 2 * :jobs)
SELECT id, 'type_' || (id % 5), '{"n": ' || id || '}', iif(id > :jobs, 'pending', 'done'),
    'queue_' || (id % 3), id % 2, id > :jobs, iif(id > :jobs, NULL, '{"sum": ' || id || '}'),
    id <= :jobs, 3, 900, :now - :day + id / 100, :now - :day + id / 100,
    iif(id > :jobs, NULL, :now - :day + id / 100), iif(id > :jobs, NULL, :now - :day + id / 100),
    iif(id > :jobs, NULL, 'default-1'), iif(id > :jobs, NULL, 1), iif(id > :jobs, 0, id)
FROM n;

INSERT INTO attempts (job_id, number, outcome, worker, pid, started_at_ms, finished_at_ms,
    lease_token)
SELECT id, 1, 'succeeded', worker, 1, started_at_ms, finished_at_ms, id FROM jobs
WHERE status = 'done';

INSERT INTO events (at_ms, kind, job_id, body)
SELECT finished_at_ms, 'job.done', id, json_object(
    'id', id, 'type', type, 'status', status, 'queue', queue, 'priority', priority, 'error', NULL,
    'attempt', attempt, 'max_retries', max_retries, 'timeout_s', timeout_s, 'progress', NULL,
    'message', NULL, 'created_at_ms', created_at_ms, 'run_at_ms', run_at_ms,
    'started_at_ms', started_at_ms, 'finished_at_ms', finished_at_ms, 'worker', worker,
    'unique_key', NULL, 'depends_on', json('[]'), 'tags', json('[]'),
    'cancel_requested', json('false'))
FROM jobs WHERE status = 'done';

INSERT INTO job_counts SELECT queue, status, count(*) FROM jobs GROUP BY queue, status;
UPDATE lease_tokens SET last = :jobs;
"""


def filled(url: str, jobs: int) -> Store:
    """Make a store with this many waiting and this many finished jobs."""
    store = open_store(url, create=True, pools={"default": ("*",)})
    connection = apsw.Connection(str(database_path(url)))
    connection.execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; BEGIN IMMEDIATE")
    connection.execute(FILL, {"jobs": jobs, "now": store.clock.wall_ms(), "day": DAY_MS})
    connection.execute("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return store


def lease_and_finish(store: Store, limit: int) -> None:
    with store.write(durable=False):
        leases = store.leases.lease(HOLDER, ("*",), limit, 30_000)
        store.leases.finish([Finished(lease, Ending.SUCCEEDED, "null") for lease in leases])


def refill(store: Store) -> None:
    """Add the jobs that a round leases, so that the small file does not run out of jobs."""
    store.jobs.submit_many([NewJob("type_1", queue=f"queue_{n % 3}") for n in range(BATCH + 1)])


def middle(store: Store) -> int:
    return store.jobs.page(JobFilter(status=Status.DONE), 1)[0].id


def verbs() -> dict[str, Callable[[Store], object]]:
    """Return every hot call with its name in the table."""
    done, pending = JobFilter(status=Status.DONE), JobFilter(status=Status.PENDING)
    return {
        "lease and finish 1": lambda store: lease_and_finish(store, 1),
        f"lease and finish {BATCH}": lambda store: lease_and_finish(store, BATCH),
        "submit": lambda store: store.jobs.submit(NewJob("type_1", queue="queue_1")),
        "page, newest": lambda store: store.jobs.page(JobFilter(), 50),
        "page, status=done": lambda store: store.jobs.page(done, 50),
        "page, status=pending": lambda store: store.jobs.page(pending, 50),
        "page, type": lambda store: store.jobs.page(JobFilter(type="type_1"), 50),
        "page, queue": lambda store: store.jobs.page(JobFilter(queue="queue_1"), 50),
        "page, status and type": lambda store: store.jobs.page(
            JobFilter(Status.PENDING, type="type_1"), 50
        ),
        "page, status=failed and type": lambda store: store.jobs.page(
            JobFilter(Status.FAILED, type="type_1"), 50
        ),
        "page, cursor": lambda store: store.jobs.page(JobFilter(), 50, middle(store)),
        "total": lambda store: store.jobs.total(JobFilter()),
        "total, status and queue": lambda store: store.jobs.total(
            JobFilter(Status.DONE, queue="queue_1")
        ),
        "counts": lambda store: store.stats.counts(),
        "counts by queue": lambda store: store.stats.counts_by_queue(),
        "reclaim sweep": lambda store: store.leases.reclaim_expired(),
        "retention, nothing to do": lambda store: store.retention.step(KEEP),
        "next due": lambda store: store.leases.next_due_ms(),
        "oldest pending": lambda store: store.stats.oldest_pending_s(),
        "attempts": lambda store: store.jobs.attempts(SMALL // 2),
        "events after": lambda store: store.events.after(store.events.last_seq() - 50, 50),
        "events of a job": lambda store: store.events.of_job(SMALL // 2, 50),
    }


def time_ms(verb: Callable[[Store], object], store: Store) -> float:
    began = time.perf_counter()
    verb(store)
    return (time.perf_counter() - began) * 1000


def measure(small: Store, large: Store, rounds: int) -> dict[str, tuple[float, float]]:
    """Return the median time of each call on both stores, in milliseconds."""
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in verbs()}
    for _ in range(rounds):
        for store, column in ((small, 0), (large, 1)):
            refill(store)
            for name, verb in verbs().items():
                times[name][column].append(time_ms(verb, store))
    return {
        name: (statistics.median(columns[0]), statistics.median(columns[1]))
        for name, columns in times.items()
    }


def report(medians: dict[str, tuple[float, float]], jobs: int) -> bool:
    """Print the table; return whether every ratio is within the goal."""
    print(f"{'verb':28}{f'{SMALL}+{SMALL}, ms':>14}{f'{jobs}+{jobs}, ms':>22}{'ratio':>8}")
    all_within = True
    for name, (small_ms, large_ms) in medians.items():
        within = large_ms <= small_ms * GOAL + NOISE_MS
        all_within &= within
        mark = "" if within else f"   over the goal of {GOAL}"
        print(f"{name:28}{small_ms:14.3f}{large_ms:22.3f}{large_ms / small_ms:8.2f}{mark}")
    return all_within


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1_000_000, help="waiting, and as many finished")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="where the files are made (default: temporary)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        small = filled(f"sqlite:///{folder}/small/orpheus.db", SMALL)
        began = time.perf_counter()
        large = filled(f"sqlite:///{folder}/large/orpheus.db", options.jobs)
        took_s = time.perf_counter() - began
        print(f"{large.stats.database_bytes() / 2**20:.0f} MiB filled in {took_s:.0f} s")
        try:
            return 0 if report(measure(small, large, options.rounds), options.jobs) else 1
        finally:
            small.close()
            large.close()


if __name__ == "__main__":
    sys.exit(main())
