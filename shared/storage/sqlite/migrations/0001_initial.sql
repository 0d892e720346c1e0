-- Jobs. A running attempt is in its job's row (worker, worker_pid, started_at_ms and the lease),
-- so two live attempts of one job cannot be written; it becomes a row of `attempts` when it ends.
-- OR, not IN: for a list of three or more, SQLite makes a table each time it checks a row.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL,
    payload TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status = 'pending' OR status = 'in_progress' OR status = 'done'
            OR status = 'failed' OR status = 'cancelled' OR status = 'blocked'),
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN -1000 AND 1000),
    -- 1: waits for no time, so a pending job may be leased now. One without delay is due at once
    -- whatever the wall clock says; the clock only promotes those that wait for their time.
    is_due INTEGER NOT NULL CHECK (is_due = 0 OR (is_due = 1 AND status IN ('blocked', 'pending'))),
    result TEXT,
    error_type TEXT,
    error_message TEXT,
    error_traceback TEXT,
    attempt INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures BETWEEN 0 AND max_retries + 1),
    crashes INTEGER NOT NULL DEFAULT 0,
    max_retries INTEGER NOT NULL,
    timeout_s REAL NOT NULL,
    progress REAL,
    message TEXT,
    created_at_ms INTEGER NOT NULL,
    run_at_ms INTEGER NOT NULL,
    started_at_ms INTEGER,
    finished_at_ms INTEGER,
    worker TEXT,
    worker_pid INTEGER,
    unique_key TEXT,
    tags TEXT NOT NULL DEFAULT '[]',
    cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
    -- Flow: the jobs it was submitted to wait for, how many of them have not ended yet, what to do
    -- if one does not end done, and whether others wait for this one (0: nobody looks).
    depends_on TEXT NOT NULL DEFAULT '[]',
    waits_for INTEGER NOT NULL DEFAULT 0,
    on_dependency_failure TEXT NOT NULL DEFAULT 'cancel'
        CHECK (on_dependency_failure = 'cancel' OR on_dependency_failure = 'run'
            OR on_dependency_failure = 'fail'),
    has_dependents INTEGER NOT NULL DEFAULT 0 CHECK (has_dependents IN (0, 1)),
    -- Tokens come from one counter and only grow; the last one stays when the lease is gone.
    lease_token INTEGER NOT NULL DEFAULT 0,
    lease_incarnation TEXT,
    lease_expires_mono_ms INTEGER,
    lease_boot_id TEXT,
    CHECK ((status = 'blocked') = (waits_for > 0)),
    CHECK ((status = 'in_progress') = (lease_incarnation IS NOT NULL)),
    CHECK ((status = 'in_progress') = (lease_expires_mono_ms IS NOT NULL)),
    CHECK ((status = 'in_progress') = (lease_boot_id IS NOT NULL)),
    CHECK ((status = 'done' OR status = 'failed' OR status = 'cancelled')
        = (finished_at_ms IS NOT NULL)),
    CHECK ((status = 'done') = (result IS NOT NULL)),
    CHECK (status <> 'failed' OR error_type IS NOT NULL)
) STRICT;

-- What may be leased now, in the order of leasing within a queue.
CREATE INDEX jobs_due ON jobs (queue, priority DESC, run_at_ms, id)
    WHERE status = 'pending' AND is_due = 1;
-- What waits for its time.
CREATE INDEX jobs_scheduled ON jobs (run_at_ms) WHERE status = 'pending' AND is_due = 0;
-- What is leased: a few rows, read whole by the sweep.
CREATE INDEX jobs_leased ON jobs (lease_incarnation) WHERE status = 'in_progress';
-- One live job for each unique key.
CREATE UNIQUE INDEX jobs_unique_key ON jobs (unique_key)
    WHERE unique_key IS NOT NULL AND finished_at_ms IS NULL;
-- Lists, newest first.
CREATE INDEX jobs_by_status ON jobs (status, id);
CREATE INDEX jobs_by_type ON jobs (type, id);
CREATE INDEX jobs_by_queue ON jobs (queue, id);
-- What has ended, by age: what retention deletes is found without a scan (2 % of the drain rate).
CREATE INDEX jobs_ended ON jobs (status, finished_at_ms) WHERE finished_at_ms IS NOT NULL;

-- Only an operator's retry leaves a terminal status, and it starts the count anew.
CREATE TRIGGER jobs_terminal_is_final BEFORE UPDATE OF status ON jobs
    WHEN OLD.status IN ('done', 'failed', 'cancelled')
        AND NOT (OLD.status <> 'done' AND NEW.status IN ('pending', 'blocked') AND NEW.failures = 0)
BEGIN
    SELECT RAISE(ABORT, 'a terminal status is left only by an operator''s retry');
END;

CREATE TABLE job_tags (
    tag TEXT NOT NULL,
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, job_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_tags_by_job ON job_tags (job_id);

CREATE TABLE job_dependencies (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    depends_on INTEGER NOT NULL,
    PRIMARY KEY (job_id, depends_on)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_dependents ON job_dependencies (depends_on, job_id);

CREATE TABLE attempts (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL CHECK (number >= 1),
    outcome TEXT NOT NULL CHECK (outcome = 'succeeded' OR outcome = 'failed'
        OR outcome = 'timed_out' OR outcome = 'crashed' OR outcome = 'lost'
        OR outcome = 'cancelled' OR outcome = 'released' OR outcome = 'snoozed'),
    worker TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started_at_ms INTEGER NOT NULL,
    finished_at_ms INTEGER NOT NULL,
    error_type TEXT,
    error_message TEXT,
    error_traceback TEXT,
    lease_token INTEGER NOT NULL,
    PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    level TEXT NOT NULL,
    line TEXT NOT NULL,
    fields TEXT NOT NULL
) STRICT;
CREATE INDEX job_logs_by_job ON job_logs (job_id, id);

-- The log of changes: written in the transaction of the change, so seq follows commit order.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    job_id INTEGER,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_job ON events (job_id, seq) WHERE job_id IS NOT NULL;

-- Kept, not counted: exact per queue and status, changed in the transaction of the change.
CREATE TABLE job_counts (
    queue TEXT NOT NULL,
    status TEXT NOT NULL,
    n INTEGER NOT NULL CHECK (n >= 0),
    PRIMARY KEY (queue, status)
) STRICT, WITHOUT ROWID;

-- Jobs that ended, by the minute (wall clock) in which they did.
CREATE TABLE finished_per_minute (
    minute INTEGER NOT NULL,
    queue TEXT NOT NULL,
    status TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (minute, queue, status)
) STRICT, WITHOUT ROWID;

-- Queues with a limit or a pause; one without has no row. `paused` is the operator's word and stays,
-- NULL leaves it to the configuration. Rate tokens are on the monotonic clock of one boot.
CREATE TABLE queues (
    name TEXT PRIMARY KEY,
    paused INTEGER CHECK (paused IN (0, 1)),
    paused_by_config INTEGER NOT NULL DEFAULT 0 CHECK (paused_by_config IN (0, 1)),
    max_running INTEGER NOT NULL DEFAULT 0,
    rate_per_s REAL NOT NULL DEFAULT 0,
    rate_burst REAL NOT NULL DEFAULT 0,
    rate_tokens REAL NOT NULL DEFAULT 0,
    rate_mono_ms INTEGER NOT NULL DEFAULT 0,
    rate_boot_id TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- The answer that a client's Idempotency-Key got, to be given again.
CREATE TABLE idempotency_keys (
    key TEXT PRIMARY KEY,
    request_hash TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    location TEXT,
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at_ms);

-- What operators did.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    by TEXT NOT NULL,
    reason TEXT,
    count INTEGER NOT NULL
) STRICT;

-- Schedules: `tick_ms` is the next tick; it is moved on in the transaction that enqueues its job,
-- only by the process that finds it as it was read, so each tick fires once.
CREATE TABLE schedules (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL,
    tick_ms INTEGER,
    paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    last_run_ms INTEGER,
    last_job_id INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE lease_tokens (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    last INTEGER NOT NULL
) STRICT;
INSERT INTO lease_tokens VALUES (1, 0);

-- Heartbeats: one row for each living process, written by itself.
CREATE TABLE processes (
    incarnation TEXT PRIMARY KEY,
    slot TEXT NOT NULL,
    pool TEXT,
    role TEXT NOT NULL,
    pid INTEGER NOT NULL,
    create_time_s REAL NOT NULL,
    boot_id TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    ready INTEGER NOT NULL,
    beat INTEGER NOT NULL,
    last_beat_mono_ms INTEGER NOT NULL,
    job_id INTEGER,
    jobs_done INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Slots as the supervisor sees them, written by the supervisor.
CREATE TABLE slots (
    slot TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    pool TEXT,
    role TEXT NOT NULL,
    state TEXT NOT NULL,
    degraded INTEGER NOT NULL,
    reason TEXT NOT NULL,
    rejected TEXT, -- why the newest configuration is not in force; of the supervisor alone
    pid INTEGER,
    incarnation TEXT,
    cpu_percent REAL,
    rss_bytes INTEGER,
    started_at_ms INTEGER,
    restarts INTEGER NOT NULL,
    last_exit TEXT
) STRICT, WITHOUT ROWID;

-- What `python -m worker --describe` found; NULL: the default of [jobs].
CREATE TABLE job_types (
    name TEXT PRIMARY KEY,
    schema TEXT NOT NULL,
    max_retries INTEGER,
    timeout_s REAL,
    queue TEXT,
    description TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE schema_migrations (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at_ms INTEGER NOT NULL
) STRICT;
