"""Whether the size of the database matters: every hot call of the store with a million waiting and
a million finished jobs, and a lease with 1,000 queues that have work, compared with a small file.
So is a lease of jobs with keys, one of which runs at most, of 10,000 keys compared with 100, while
one more key that is full has 100,000 jobs in front of them all.

It fills the databases directly, then times each call on both in turn, so that other load on the
machine affects both. Three calls are not measured, because their time is bounded but not constant:
a text search looks at the newest 10,000 jobs (1 ms), a total by type, tag or text counts to 10,000
(0.2 to 3 ms), and a page filtered by two properties that a million jobs have each and few have both
walks through one of them (up to 150 ms).
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing

import apsw

from benchmarks.catalog import ORPHEUS
from benchmarks.rows import SCALE
from benchmarks.run import Run
from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.rates import KeyRules, QueueRules
from orpheus.shared.storage import Store, database_path, open_store

LARGE = 1_000_000
ROUNDS = 100
NOISE_MS = 0.02
"""What both times are raised by: below this, a ratio measures the clock, not the database."""
SMALL = 200
QUEUES = 1_000
QUEUED = 20_000
KEYS = 10_000
FEW_KEYS = 100
IN_FRONT = 100_000
JOBS_OF_A_KEY = 3
HOLDER = Holder("default-1", "benchmark", 1)
BATCH = 64
AT_ONCE = 10_000
DAY_MS = 86_400_000
KEEP = RetentionRules(done_s=7 * 86_400, failed_s=7 * 86_400, cancelled_s=7 * 86_400, events=10**9)

Verb = Callable[[Store], object]

FILL = """
INSERT INTO jobs (id, type, payload, status, queue, priority, is_due, result, attempt, max_retries,
    timeout_s, created_at_ms, run_at_ms, started_at_ms, finished_at_ms, worker, worker_pid,
    lease_token)
WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 2 * :jobs)
SELECT id, 'type_' || (id % 5), '{"n": ' || id || '}', iif(id > :jobs, 'pending', 'done'),
    'queue_' || (id % :queues), id % 2, id > :jobs, iif(id > :jobs, NULL, '{"sum": ' || id || '}'),
    id <= :jobs, 3, 900, :now - :day + id / 100, :now - :day + id / 100,
    iif(id > :jobs, NULL, :now - :day + id / 100), iif(id > :jobs, NULL, :now - :day + id / 100),
    iif(id > :jobs, NULL, 'default-1'), iif(id > :jobs, NULL, 1), iif(id > :jobs, 0, id)
FROM n;

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
UPDATE sqlite_sequence SET seq = :jobs WHERE name = 'lease_tokens';
"""


def measure(run: Run) -> None:
    jobs = run.number(LARGE)
    rounds = run.number(ROUNDS)
    leases, others = lease_verbs(), other_verbs()
    with (
        run.trying(ORPHEUS, "scale"),
        tempfile.TemporaryDirectory() as folder,
        closing(filled(f"sqlite:///{folder}/small/orpheus.db", SMALL)) as small,
        closing(filled(f"sqlite:///{folder}/large/orpheus.db", jobs)) as large,
        closing(
            filled(f"sqlite:///{folder}/queues/orpheus.db", run.number(QUEUED), QUEUES)
        ) as many,
    ):
        ratios = compare(small, large, leases | others, rounds)
        queues = compare(small, many, leases, rounds)
        keys = compare_keys(folder, run.number(KEYS), run.number(IN_FRONT), rounds)
    run.results.add("scale_keys", ORPHEUS, max(keys.values()))
    run.results.add("scale_lease", ORPHEUS, max(ratios[name] for name in leases))
    run.results.add("scale_read", ORPHEUS, max(ratios[name] for name in others))
    run.results.add("scale_queues", ORPHEUS, max(queues.values()))
    for name, ratio in ratios.items():
        run.results.add(f"{SCALE}{name}", ORPHEUS, ratio)


def filled(url: str, jobs: int, queues: int = 3) -> Store:
    """Make a store with this many waiting and this many finished jobs in so many queues."""
    store = open_store(url, create=True, pools={"default": ("*",)})
    connection = apsw.Connection(str(database_path(url)))
    connection.execute("PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; BEGIN IMMEDIATE")
    values = {"jobs": jobs, "queues": queues, "now": store.clock.wall_ms(), "day": DAY_MS}
    connection.execute(FILL, values)
    connection.execute("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return store


def lease_and_finish(store: Store, limit: int) -> None:
    with store.write(durable=False):
        leases = store.leases.lease(HOLDER, ("*",), limit, 30_000)
        store.leases.finish([Finished(lease, Ending.SUCCEEDED, "null") for lease in leases])


def compare_keys(folder: str, keys: int, in_front: int, rounds: int) -> dict[str, float]:
    """Compare leases and ends of jobs with keys: of few keys, and of many behind a full one."""
    with (
        closing(with_keys(f"sqlite:///{folder}/few-keys/orpheus.db", FEW_KEYS, 0)) as few,
        closing(with_keys(f"sqlite:///{folder}/many-keys/orpheus.db", keys, in_front)) as many,
    ):
        return compare(few, many, lease_verbs(), rounds, fill=refill_keys)


def with_keys(url: str, keys: int, in_front: int) -> Store:
    """Make a store with some waiting jobs of so many keys, and with those of a full one first."""
    store = open_store(url, create=True, pools={"default": ("*",)})
    store.queues.configure({"keyed": QueueRules(per_key=KeyRules(max_running=1))})
    full = NewJob("type_1", queue="keyed", priority=9, concurrency_key="full")
    for first in range(0, in_front, AT_ONCE):
        store.jobs.submit_many([full] * min(AT_ONCE, in_front - first))
    store.leases.lease(HOLDER, ("*",), min(1, in_front), DAY_MS)
    for first in range(0, JOBS_OF_A_KEY * keys, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, JOBS_OF_A_KEY * keys))
        store.jobs.submit_many([of_key(n % keys) for n in numbers])
    return store


def of_key(number: int) -> NewJob:
    return NewJob("type_1", queue="keyed", concurrency_key=f"key-{number}")


def refill_keys(store: Store) -> None:
    """Add as many jobs as a round takes: so each key keeps some."""
    first = store.events.last_seq()
    store.jobs.submit_many([of_key((first + n) % FEW_KEYS) for n in range(BATCH + 1)])


def refill(store: Store) -> None:
    """Add the jobs that a round leases, so that the small file does not run out of jobs."""
    store.jobs.submit_many([NewJob("type_1", queue=f"queue_{n % 3}") for n in range(BATCH + 1)])


def middle(store: Store) -> int:
    return store.jobs.page(JobFilter(status=Status.DONE), 1)[0].id


def lease_verbs() -> dict[str, Verb]:
    return {
        "lease and finish 1": lambda store: lease_and_finish(store, 1),
        f"lease and finish {BATCH}": lambda store: lease_and_finish(store, BATCH),
    }


def other_verbs() -> dict[str, Verb]:
    """Return every other hot call with its name in the table."""
    done, pending = JobFilter(status=Status.DONE), JobFilter(status=Status.PENDING)
    return {
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
        "total": lambda store: store.lists.total(JobFilter()),
        "total, status and queue": lambda store: store.lists.total(
            JobFilter(Status.DONE, queue="queue_1")
        ),
        "counts": lambda store: store.stats.counts(),
        "counts by queue": lambda store: store.stats.counts_by_queue(),
        "reclaim sweep": lambda store: store.leases.reclaim_expired(),
        "retention, nothing to do": lambda store: store.retention.step(KEEP),
        "next due": lambda store: store.leases.next_due_ms(),
        "oldest pending": lambda store: store.waiting.oldest_due_s(),
        "attempts": lambda store: store.jobs.attempts(SMALL // 2),
        "events after": lambda store: store.events.after(store.events.last_seq() - 50, 50),
        "events of a job": lambda store: store.events.of_job(SMALL // 2, 50),
    }


def time_ms(verb: Verb, store: Store) -> float:
    began = time.perf_counter()
    verb(store)
    return (time.perf_counter() - began) * 1000


def compare(
    small: Store,
    large: Store,
    verbs: dict[str, Verb],
    rounds: int,
    fill: Callable[[Store], None] = refill,
) -> dict[str, float]:
    """Return how many times longer each call takes on the large store; medians of both."""
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in verbs}
    for _ in range(rounds):
        for store, column in ((small, 0), (large, 1)):
            fill(store)
            for name, verb in verbs.items():
                times[name][column].append(time_ms(verb, store))
    return {
        name: (statistics.median(large_ms) + NOISE_MS) / (statistics.median(small_ms) + NOISE_MS)
        for name, (small_ms, large_ms) in times.items()
    }
