"""The ceiling: what SQLite does if only the rows of a job are written, and nothing else.

Two processes lease and finish jobs in one durable transaction each time, over a bare schema with
the rows that Orpheus keeps: the job, its attempt, three events and kept counts. There are no
timeouts, cancels, heartbeats, logs, pauses, limits, retries or dependencies, and no third process.
How far a system is from this is what all of that costs. `ahead` jobs are leased at a time.
"""

import json
import multiprocessing
import os
import tempfile
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

import apsw

from benchmarks.effects import Effects, record

WORKERS = ("worker-1", "worker-2")
RETRY_S = 0.0003

SCHEMA = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, payload TEXT NOT NULL,
    status TEXT NOT NULL, queue TEXT NOT NULL, priority INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0, max_retries INTEGER NOT NULL DEFAULT 3,
    run_at REAL NOT NULL, created_at REAL NOT NULL, started_at REAL, finished_at REAL,
    lease_token INTEGER, lease_expires REAL, leased_by TEXT, result TEXT, error TEXT, progress REAL,
    unique_key TEXT, timeout REAL, cancel_requested INTEGER NOT NULL DEFAULT 0, tags TEXT
) STRICT;
CREATE INDEX jobs_ready ON jobs (priority DESC, run_at, id) WHERE status = 'pending';
CREATE INDEX jobs_leased ON jobs (lease_expires) WHERE status = 'in_progress';
CREATE INDEX jobs_status ON jobs (status, id);
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key)
    WHERE unique_key IS NOT NULL AND status IN ('pending', 'in_progress', 'blocked');
CREATE TABLE attempts (
    job_id INTEGER NOT NULL, number INTEGER NOT NULL, outcome TEXT NOT NULL, worker TEXT,
    pid INTEGER, started_at REAL, finished_at REAL, error TEXT, PRIMARY KEY (job_id, number)
) WITHOUT ROWID, STRICT;
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL, job_id INTEGER,
    data TEXT
) STRICT;
CREATE TABLE counts (
    queue TEXT, status TEXT, n INTEGER NOT NULL, PRIMARY KEY (queue, status)
) WITHOUT ROWID, STRICT;
INSERT INTO counts VALUES ('default', 'pending', 0), ('default', 'in_progress', 0),
    ('default', 'done', 0);
"""
FILL = """
INSERT INTO jobs (type, payload, status, queue, priority, run_at, created_at)
    VALUES ('effect', ?, 'pending', 'default', 0, ?, ?)
"""
FILLED = """
INSERT INTO events (at, kind, job_id) SELECT created_at, 'job.enqueued', id FROM jobs;
UPDATE counts SET n = (SELECT count(*) FROM jobs) WHERE status = 'pending';
"""
LEASE = """
UPDATE jobs SET status = 'in_progress', attempt = attempt + 1,
    lease_token = coalesce(lease_token, 0) + 1, lease_expires = ?, leased_by = ?, started_at = ?
WHERE id IN (
    SELECT id FROM jobs INDEXED BY jobs_ready WHERE status = 'pending' AND run_at <= ?
    ORDER BY priority DESC, run_at, id LIMIT ?
)
RETURNING id, payload, attempt, lease_token
"""
STARTED = "INSERT INTO events (at, kind, job_id, data) VALUES (?, 'job.started', ?, NULL)"
FINISH = """
UPDATE jobs SET status = 'done', result = ?, finished_at = ?, lease_expires = NULL, leased_by = NULL
WHERE id = ? AND lease_token = ? AND status = 'in_progress'
"""
ATTEMPT = "INSERT INTO attempts VALUES (?, ?, 'succeeded', ?, ?, ?, ?, NULL)"
DONE = "INSERT INTO events (at, kind, job_id, data) VALUES (?, 'job.done', ?, NULL)"
COUNT = """
UPDATE counts SET n = n + CASE status WHEN 'done' THEN ?1 WHEN 'in_progress' THEN ?2 - ?1
    ELSE -?2 END WHERE queue = 'default'
"""


def jobs_per_second(jobs: int, ahead: int) -> float:
    """Run `jobs` no-op jobs. Raises NotExactlyOnce if a job did not run exactly once."""
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        database = f"{folder}/ceiling.db"
        effects = Effects(Path(folder, "effects"), jobs)
        effects.folder.mkdir()
        _fill(database, jobs)
        is_open, go, times = spawn.Queue(), spawn.Event(), spawn.Queue()
        workers = [
            spawn.Process(target=_work, args=(database, ahead, name, effects, is_open, go, times))
            for name in WORKERS
        ]
        for worker in workers:
            worker.start()
        for _ in workers:
            is_open.get(timeout=60)
        go.set()
        spans = [times.get(timeout=120) for _ in workers]
        for worker in workers:
            worker.join()
        effects.check(0, jobs)
    begins, ends = zip(*spans, strict=True)
    return float(jobs / (max(ends) - min(begins)))


def _connect(database: str, synchronous: str) -> apsw.Connection:
    connection = apsw.Connection(database)
    connection.set_busy_handler(_retry)
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA cache_size = -16000")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    return connection


def _retry(_tries: int) -> bool:
    """Try again after a constant time: SQLite's growing waits let one process wait for seconds."""
    time.sleep(RETRY_S)
    return True


def _fill(database: str, jobs: int) -> None:
    connection, now = _connect(database, "NORMAL"), time.time()
    with connection:
        connection.execute(SCHEMA)
        connection.executemany(FILL, ((f'{{"n":{n}}}', now, now) for n in range(jobs)))
        connection.execute(FILLED)
    connection.close()


def _work(
    database: str,
    ahead: int,
    name: str,
    effects: Effects,
    is_open: "Queue[str]",
    go: Event,
    times: "Queue[tuple[float, float]]",
) -> None:
    os.environ.update(effects.environment())
    connection = _connect(database, "FULL")
    cursor = connection.cursor()
    results: list[tuple[int, int, int, str]] = []
    is_open.put(name)
    go.wait()
    began_s = time.monotonic()
    while True:
        now = time.time()
        connection.execute("BEGIN IMMEDIATE")
        if results:
            cursor.executemany(FINISH, [(text, now, id, token) for id, _, token, text in results])
            cursor.executemany(
                ATTEMPT, [(id, number, name, 1, now, now) for id, number, _, _ in results]
            )
            cursor.executemany(DONE, [(now, id) for id, *_ in results])
        rows = list(connection.execute(LEASE, (now + 30, name, now, now, ahead)))
        if rows:
            cursor.executemany(STARTED, [(now, id) for id, *_ in rows])
        connection.execute(COUNT, (len(results), len(rows)))
        connection.execute("COMMIT")
        if not rows:
            break
        results = [
            (id, number, token, json.dumps(record(json.loads(payload)["n"])))
            for id, payload, number, token in rows
        ]
    connection.close()
    times.put((began_s, time.monotonic()))
