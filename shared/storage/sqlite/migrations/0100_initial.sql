-- Flags are 0 and 1, times are milliseconds, lists and objects are JSON text.

-- A running attempt is in its job's row (worker, worker_pid, started_at_ms and the lease), so two
-- live attempts of one job cannot be written. The attempt that did a job stays there, as a done job
-- never runs again; any other becomes a row of `ended_attempts`.
-- OR, not IN, in a CHECK of three values or more: SQLite makes a table each time it checks a row.
-- Each update names the state that it leaves (tests/contract/test_statements.py). A trigger that
-- repeated this would cost a sixth of what a short job costs.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL,
    -- A longer one than 1,000 characters is in large_payloads, and here it is '': SQLite writes a row
    -- whole at each change.
    payload TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status = 'pending' OR status = 'in_progress' OR status = 'done'
            OR status = 'failed' OR status = 'cancelled' OR status = 'blocked'),
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN -1000 AND 1000),
    -- 1: a pending job may be leased now. A job without delay is due at once whatever the wall clock
    -- says; the clock only promotes jobs that wait for their time.
    is_due INTEGER NOT NULL CHECK (is_due = 0 OR (is_due = 1 AND status IN ('blocked', 'pending'))),
    -- Why a due job is not leased, and so not in the indexes of due jobs: 1: its key has no room;
    -- 2: its type is quarantined; 3: no worker has one of `versions`.
    is_parked INTEGER NOT NULL DEFAULT 0
        CHECK (is_parked = 0 OR (status = 'pending' AND is_due = 1
            AND (is_parked = 2 OR (is_parked = 3 AND versions IS NOT NULL)
                OR (is_parked = 1 AND concurrency_key IS NOT NULL)))),
    result TEXT,
    error_type TEXT, error_message TEXT, error_traceback TEXT,
    error_where TEXT NOT NULL DEFAULT '',
    attempt INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures BETWEEN 0 AND max_retries + 1),
    crashes INTEGER NOT NULL DEFAULT 0,
    -- Attempts lost in a row: from the second on each spends a retry.
    losses INTEGER NOT NULL DEFAULT 0,
    max_retries INTEGER NOT NULL, timeout_s REAL NOT NULL,
    progress REAL, message TEXT,
    created_at_ms INTEGER NOT NULL, run_at_ms INTEGER NOT NULL,
    -- When the job last became free to run: it left 'blocked', or 'in_progress' after it was run. It
    -- waits for a worker since then, or since run_at_ms if that is later.
    freed_at_ms INTEGER,
    started_at_ms INTEGER, finished_at_ms INTEGER, worker TEXT, worker_pid INTEGER,
    -- What the attempt that did the job cost; NULL: not measured.
    cpu_s REAL, max_rss_bytes INTEGER,
    unique_key TEXT, concurrency_key TEXT,
    tags TEXT NOT NULL DEFAULT '[]', traceparent TEXT,
    -- The versions of its type that can read the payload, separated by spaces; NULL: all of them.
    versions TEXT,
    -- The time of the schedule that it was made for; NULL: no schedule has made it.
    scheduled_ms INTEGER,
    -- A job that was not started by `expires_ms` is cancelled. A unique key stays taken until
    -- `unique_until_ms`, also if the job has ended. `retention_ms`: how long the job is kept after it
    -- is done; NULL: as [retention] says.
    expires_ms INTEGER, unique_until_ms INTEGER, retention_ms INTEGER,
    cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
    -- The jobs that it was submitted to wait for, how many of them have not ended yet, what to do if
    -- one does not end done, and whether other jobs wait for this one.
    depends_on TEXT NOT NULL DEFAULT '[]', waits_for INTEGER NOT NULL DEFAULT 0,
    on_dependency_failure TEXT NOT NULL DEFAULT 'cancel'
        CHECK (on_dependency_failure = 'cancel' OR on_dependency_failure = 'run'
            OR on_dependency_failure = 'fail'),
    has_dependents INTEGER NOT NULL DEFAULT 0 CHECK (has_dependents IN (0, 1)),
    -- Tokens come from one counter and only grow; the last one stays when the lease is gone.
    lease_token INTEGER NOT NULL DEFAULT 0,
    lease_incarnation TEXT, lease_expires_mono_ms INTEGER, lease_boot_id TEXT,
    CHECK ((status = 'blocked') = (waits_for > 0)),
    CHECK ((status = 'in_progress') = (lease_incarnation IS NOT NULL)),
    CHECK ((status = 'in_progress') = (lease_expires_mono_ms IS NOT NULL)),
    CHECK ((status = 'in_progress') = (lease_boot_id IS NOT NULL)),
    CHECK ((status = 'done' OR status = 'failed' OR status = 'cancelled')
        = (finished_at_ms IS NOT NULL)),
    CHECK ((status = 'done') = (result IS NOT NULL)),
    CHECK (status <> 'failed' OR error_type IS NOT NULL)
) STRICT;

-- What may be leased now, in the order of leasing: of one queue, and of all queues (with a thousand
-- queues, merging them costs twelve times as much as reading one index).
CREATE INDEX jobs_due ON jobs (queue, priority DESC, run_at_ms, id)
    WHERE status = 'pending' AND is_due = 1 AND is_parked = 0;
CREATE INDEX jobs_due_of_all ON jobs (priority DESC, run_at_ms, id)
    WHERE status = 'pending' AND is_due = 1 AND is_parked = 0;
CREATE INDEX jobs_scheduled ON jobs (run_at_ms) WHERE status = 'pending' AND is_due = 0;
-- The jobs of schedules by tick: a backfill makes none that is there.
CREATE INDEX jobs_of_ticks ON jobs (scheduled_ms) WHERE scheduled_ms IS NOT NULL;
-- One live job for each unique key.
CREATE UNIQUE INDEX jobs_unique_key ON jobs (unique_key)
    WHERE unique_key IS NOT NULL AND finished_at_ms IS NULL;
-- The newest job of a unique key may still hold it after its end.
CREATE INDEX jobs_by_unique_key ON jobs (unique_key, id) WHERE unique_key IS NOT NULL;
-- Leases are found by it, too: an index of their own would be one more page of each commit.
CREATE INDEX jobs_by_status ON jobs (status, id);
CREATE INDEX jobs_by_type ON jobs (type, id);
CREATE INDEX jobs_by_queue ON jobs (queue, id);
-- Jobs that may expire before they start, and done jobs that have a retention of their own.
CREATE INDEX jobs_expiring ON jobs (expires_ms)
    WHERE expires_ms IS NOT NULL AND attempt = 0 AND finished_at_ms IS NULL;
CREATE INDEX jobs_done_with_retention ON jobs ((finished_at_ms + retention_ms), id)
    WHERE status = 'done' AND retention_ms IS NOT NULL;
-- Ended jobs by age, for retention; failed jobs by their error, for GET /errors.
CREATE INDEX jobs_ended ON jobs (status, finished_at_ms) WHERE finished_at_ms IS NOT NULL;
CREATE INDEX jobs_failed ON jobs (type, error_type, error_where, finished_at_ms, id)
    WHERE status = 'failed';
-- Jobs of keys: parked ones in the order of leasing, and those that run or may be leased.
CREATE INDEX jobs_parked ON jobs (queue, concurrency_key, priority DESC, run_at_ms, id)
    WHERE is_parked = 1;
CREATE INDEX jobs_of_key ON jobs (queue, concurrency_key, status, is_due, priority DESC, run_at_ms, id)
    WHERE concurrency_key IS NOT NULL AND is_parked = 0 AND finished_at_ms IS NULL;
CREATE INDEX jobs_held ON jobs (type, priority DESC, run_at_ms, id) WHERE is_parked = 2;
CREATE INDEX jobs_awaiting ON jobs (type, versions, queue, priority DESC, run_at_ms, id)
    WHERE is_parked = 3;

-- The last lease token is beside the last number of each AUTOINCREMENT: on a page that the events of a
-- lease change anyway.
INSERT INTO sqlite_sequence (name, seq) VALUES ('lease_tokens', 0);

CREATE TABLE large_payloads (
    job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    payload TEXT NOT NULL
) STRICT;

CREATE TABLE job_tags (
    tag TEXT NOT NULL,
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, job_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_tags_by_job ON job_tags (job_id);

-- `waits`: the job still waits for it. Ten thousand jobs may wait for one, and each transaction tells
-- some of them that it has ended. `ref`: the key of its result, for a job that was submitted with it.
-- `child`: the job waits for it by `ctx.gather`, and goes on however it ends. 'own': it has made it,
-- and cancels it if it is cancelled itself; 'other': it was live already, with the unique key.
CREATE TABLE job_dependencies (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    depends_on INTEGER NOT NULL,
    waits INTEGER NOT NULL DEFAULT 1 CHECK (waits IN (0, 1)),
    ref TEXT,
    child TEXT CHECK (child = 'own' OR child = 'other'),
    PRIMARY KEY (job_id, depends_on)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_dependents ON job_dependencies (depends_on, waits, job_id);

-- Ended jobs that other jobs still wait for: upkeep goes on with them.
CREATE TABLE cascades (
    job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE
) STRICT;

CREATE TABLE ended_attempts (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL CHECK (number >= 1),
    outcome TEXT NOT NULL CHECK (outcome = 'succeeded' OR outcome = 'failed'
        OR outcome = 'timed_out' OR outcome = 'crashed' OR outcome = 'lost'
        OR outcome = 'cancelled' OR outcome = 'released' OR outcome = 'snoozed'),
    worker TEXT NOT NULL, pid INTEGER NOT NULL, started_at_ms INTEGER NOT NULL,
    finished_at_ms INTEGER NOT NULL, error_type TEXT, error_message TEXT, error_traceback TEXT,
    lease_token INTEGER NOT NULL, cpu_s REAL, max_rss_bytes INTEGER,
    -- The outcome does not tell: the first crash of a job that ran beside others spends none.
    spent_retry INTEGER CHECK (spent_retry IN (0, 1)),
    PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;
CREATE VIEW attempts AS
    SELECT job_id, number, outcome, worker, pid, started_at_ms, finished_at_ms,
        error_type, error_message, error_traceback, cpu_s, max_rss_bytes, lease_token, spent_retry
    FROM ended_attempts
    UNION ALL
    SELECT id, attempt, 'succeeded', worker, worker_pid, started_at_ms, finished_at_ms,
        NULL, NULL, NULL, cpu_s, max_rss_bytes, lease_token, 0
    FROM jobs WHERE status = 'done';

-- What a durable function has kept (docs/adr/0041). `position`: the order in which it was kept.
-- `result`: JSON. `until_ms`: the end of a sleep, or the timeout of a wait. A 'step' is kept when its
-- function has returned. A 'signal' waits for `signal` and `key` until its payload is here, or it is
-- timed_out. A 'gather' has the ids of its `children`; it is kept, with their errors, once the parent
-- has seen that some did not end done. A 'cursor' has the number of its items that are done.
CREATE TABLE steps (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind = 'step' OR kind = 'sleep' OR kind = 'signal' OR kind = 'gather'
        OR kind = 'cursor'),
    state TEXT NOT NULL CHECK (state = 'kept' OR state = 'waiting' OR state = 'timed_out'),
    result TEXT, attempt INTEGER NOT NULL, at_ms INTEGER NOT NULL, took_ms INTEGER NOT NULL,
    until_ms INTEGER, signal TEXT, key TEXT, children TEXT,
    PRIMARY KEY (job_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX steps_by_signal ON steps (signal, key, job_id) WHERE state = 'waiting' AND kind = 'signal';
CREATE INDEX steps_by_timeout ON steps (until_ms)
    WHERE state = 'waiting' AND kind = 'signal' AND until_ms IS NOT NULL;
CREATE INDEX steps_by_wait ON steps (at_ms) WHERE state = 'waiting' AND kind = 'signal';

-- `wakes`: more jobs may wait for it than the transaction that stored it has woken.
CREATE TABLE signals (
    name TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL, at_ms INTEGER NOT NULL,
    wakes INTEGER NOT NULL DEFAULT 0 CHECK (wakes IN (0, 1)),
    PRIMARY KEY (name, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX signals_by_age ON signals (at_ms);
CREATE INDEX signals_to_wake ON signals (name, key) WHERE wakes = 1;

CREATE TABLE job_logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL, at_ms INTEGER NOT NULL, level TEXT NOT NULL, line TEXT NOT NULL,
    fields TEXT NOT NULL
) STRICT;
CREATE INDEX job_logs_by_job ON job_logs (job_id, id);

-- The log of changes: written in the transaction of the change, so seq follows commit order.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL, kind TEXT NOT NULL, job_id INTEGER, body TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_job ON events (job_id, seq) WHERE job_id IS NOT NULL;

-- The name of this history of the database, to which the numbers of its events belong.
CREATE TABLE history (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    epoch TEXT NOT NULL
) STRICT;
INSERT INTO history VALUES (1, lower(hex(randomblob(8))));

-- Exact counts, changed in the transaction of the change.
CREATE TABLE job_counts (
    queue TEXT NOT NULL, status TEXT NOT NULL,
    n INTEGER NOT NULL CHECK (n >= 0),
    PRIMARY KEY (queue, status)
) STRICT, WITHOUT ROWID;

-- Totals that only grow, also when retention deletes what they counted: attempts that 'waited' and
-- 'ran' (ms) and their 'cpu' (us) by bucket, 'memory' (bytes), jobs that 'ended' by status, with how
-- long the done ones ran, or are 'retried'. `most`: the largest value in the bucket. Type '': all types
-- that are not described. shared/storage/totals.py has the bounds of the buckets. They are counted by
-- minute (wall clock) and queue; soon upkeep adds them to `past` and `finished_per_minute`, and makes
-- them rows of minute 0 and queue ''.
CREATE TABLE type_totals (
    minute INTEGER NOT NULL, queue TEXT NOT NULL,
    type TEXT NOT NULL, measure TEXT NOT NULL CHECK (measure = 'waited' OR measure = 'ran'
        OR measure = 'cpu' OR measure = 'memory' OR measure = 'ended' OR measure = 'retried'),
    outcome TEXT NOT NULL, bucket INTEGER NOT NULL, n INTEGER NOT NULL, total INTEGER NOT NULL,
    most INTEGER NOT NULL,
    PRIMARY KEY (minute, queue, type, measure, outcome, bucket)
) STRICT, WITHOUT ROWID;

-- Jobs by the minute in which they ended, and how long the done ones ran in all: those that upkeep has
-- taken from `type_totals`. The view has the others too. A commit writes one page less so.
CREATE TABLE finished_per_minute (
    minute INTEGER NOT NULL, queue TEXT NOT NULL, type TEXT NOT NULL, status TEXT NOT NULL,
    n INTEGER NOT NULL, ran_ms INTEGER NOT NULL,
    PRIMARY KEY (minute, queue, type, status)
) STRICT, WITHOUT ROWID;
CREATE VIEW ended_by_minute AS
    SELECT minute, queue, type, status, n, ran_ms FROM finished_per_minute
    UNION ALL
    SELECT minute, queue, type, outcome, n, total FROM type_totals
    WHERE minute > 0 AND measure = 'ended';

-- The figures of each minute (step_s 60) and hour (3600), by queue and type: compressed JSON
-- (shared/storage/past.py). Step 0: the id of the last job whose submission is counted.
CREATE TABLE past (
    step_s INTEGER NOT NULL, at_s INTEGER NOT NULL, figures TEXT NOT NULL,
    PRIMARY KEY (step_s, at_s)
) STRICT;

-- Problems that an operator knows of, until a time or until they get worse. `size`: how many jobs or
-- slots each was about. Subject '': the problem is about nothing in particular.
CREATE TABLE acknowledgements (
    code TEXT NOT NULL, subject TEXT NOT NULL, until_ms INTEGER NOT NULL,
    by TEXT NOT NULL, reason TEXT NOT NULL, severity INTEGER NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (code, subject)
) STRICT, WITHOUT ROWID;

-- Queues with a limit or a pause; other queues have no row. `paused`: an operator's word, which stays;
-- NULL leaves it to the configuration. A rate is stored as it is configured (100 in 60 s), its tokens
-- on the monotonic clock of one boot. `sweep_after`: the limits have changed, and parked jobs of the
-- keys after this one are still to be looked at.
CREATE TABLE queues (
    name TEXT PRIMARY KEY,
    paused INTEGER CHECK (paused IN (0, 1)),
    paused_by_config INTEGER NOT NULL DEFAULT 0 CHECK (paused_by_config IN (0, 1)),
    max_running INTEGER NOT NULL DEFAULT 0, rate_starts INTEGER NOT NULL DEFAULT 0,
    rate_period_s INTEGER NOT NULL DEFAULT 1, rate_burst INTEGER NOT NULL DEFAULT 1,
    rate_tokens REAL NOT NULL DEFAULT 0, rate_mono_ms INTEGER NOT NULL DEFAULT 0,
    rate_boot_id TEXT NOT NULL DEFAULT '', max_running_per_key INTEGER NOT NULL DEFAULT 0,
    key_rate_starts INTEGER NOT NULL DEFAULT 0, key_rate_period_s INTEGER NOT NULL DEFAULT 1,
    key_rate_burst INTEGER NOT NULL DEFAULT 1, sweep_after TEXT
) STRICT, WITHOUT ROWID;

-- Keys that have used tokens of their rate, and when they have all of them again. `opens_mono_ms`:
-- when the next token comes, if jobs are parked until then.
CREATE TABLE key_rates (
    queue TEXT NOT NULL, key TEXT NOT NULL, full_mono_ms REAL NOT NULL, boot_id TEXT NOT NULL,
    opens_mono_ms INTEGER,
    PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX key_rates_waiting ON key_rates (boot_id, opens_mono_ms) WHERE opens_mono_ms IS NOT NULL;
CREATE INDEX key_rates_idle ON key_rates (boot_id, full_mono_ms) WHERE opens_mono_ms IS NULL;

-- The answer that a client's Idempotency-Key got, to be given again.
CREATE TABLE idempotency_keys (
    key TEXT PRIMARY KEY,
    request_hash TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, location TEXT,
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at_ms);

-- What operators did. `before`, `after`: the state of the target; NULL: not known.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL, by TEXT NOT NULL,
    reason TEXT, count INTEGER NOT NULL, before TEXT, after TEXT
) STRICT;
CREATE INDEX audit_by_target ON audit (target, id);
CREATE INDEX audit_by_time ON audit (at_ms, id);

-- What happened to the system: its events that are not about jobs, for longer than `events` keeps them,
-- missed schedules and alerts. Operators' actions are in `audit`.
CREATE TABLE timeline (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, kept_until_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX timeline_by_time ON timeline (at_ms, id);
CREATE INDEX timeline_by_end ON timeline (kept_until_ms);

-- The jobs that a bulk action changed: its entry in the audit log has only the filter.
CREATE TABLE audit_jobs (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    audit_id INTEGER NOT NULL,
    PRIMARY KEY (job_id, audit_id)
) STRICT, WITHOUT ROWID;

-- `tick_ms`: the next tick. The transaction that enqueues its job moves it on, if it is still as it
-- was read: so each tick fires once. `missed_ms`: the last tick that made no job; NULL since the
-- schedule has run again. `source`: the configuration file, or a program. `skipped_ms`: the last tick that
-- made no job because the job before it, `skipped_for`, had not ended.
CREATE TABLE schedules (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL, tick_ms INTEGER,
    paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    last_run_ms INTEGER, last_job_id INTEGER, missed_ms INTEGER,
    source TEXT NOT NULL CHECK (source = 'file' OR source = 'program'),
    skipped_ms INTEGER, skipped_for INTEGER
) STRICT, WITHOUT ROWID;

-- The rules of [[alerts]]. `seq`: the last event that the rule has seen. The transaction that inserts
-- the job of an alert changes the row, if `version` is still as it was read: so each alert makes one
-- job, also if a slow leader evaluates the rule again.
CREATE TABLE alerts (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL, seq INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT '{}', last_job_id INTEGER
) STRICT;

-- What the drainer of each outbox remembers. `place`: a digest of the application's database and
-- table. `in_flight`: the ids of rows that became jobs and are not deleted there yet. `batch`: the
-- number of the last batch; a drainer that stood still names an old one and changes nothing. `held`:
-- rows whose unique key a live job had.
CREATE TABLE outboxes (
    name TEXT NOT NULL, place TEXT NOT NULL, in_flight TEXT NOT NULL DEFAULT '[]',
    batch INTEGER NOT NULL DEFAULT 0, accepted INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (name, place)
) STRICT, WITHOUT ROWID;

-- Heartbeats: one row for each living process, written by itself. `places`: how many jobs it runs at
-- once. `build`: the job types that a worker was started with; '': none, or not known.
CREATE TABLE processes (
    host TEXT NOT NULL, incarnation TEXT PRIMARY KEY,
    slot TEXT NOT NULL, pool TEXT, role TEXT NOT NULL, pid INTEGER NOT NULL,
    create_time_s REAL NOT NULL, boot_id TEXT NOT NULL, started_at_ms INTEGER NOT NULL,
    ready INTEGER NOT NULL, beat INTEGER NOT NULL, last_beat_mono_ms INTEGER NOT NULL,
    job_id INTEGER, jobs_done INTEGER NOT NULL, places INTEGER NOT NULL DEFAULT 1,
    build TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- Slots as the supervisor of their host sees them. `rejected`: why the newest configuration is not in
-- force (of the supervisor alone). `exits`: the newest first. `until_ms`: when the state ends at the
-- latest. "order": what is to become of the slot, as 'drained'; NULL: it stays. `waits`: why the
-- process does not start although it could.
CREATE TABLE slots (
    host TEXT NOT NULL, slot TEXT NOT NULL, position INTEGER NOT NULL, pool TEXT,
    role TEXT NOT NULL, state TEXT NOT NULL, degraded INTEGER NOT NULL, reason TEXT NOT NULL,
    rejected TEXT, pid INTEGER, incarnation TEXT, cpu_percent REAL, rss_bytes INTEGER,
    started_at_ms INTEGER, restarts INTEGER NOT NULL, exits TEXT NOT NULL, until_ms INTEGER,
    "order" TEXT, waits TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (host, slot)
) STRICT, WITHOUT ROWID;

-- What operators ask of a supervisor: written by the API and the command line, deleted by the
-- supervisor that takes it.
CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('restart', 'drain', 'stack', 'scale', 'reload', 'stop')),
    host TEXT NOT NULL, target TEXT NOT NULL,
    workers INTEGER CHECK (workers >= 0),
    CHECK ((action = 'scale') = (workers IS NOT NULL))
) STRICT;
-- Answers to requests of another host: on SQLite there is one host, and so no answer.
CREATE TABLE answers (
    request_id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL, body TEXT NOT NULL
) STRICT;

-- How often processes ended, by cause, and what a supervisor measures of itself in seconds, by name;
-- both since it started.
CREATE TABLE exit_counts (
    host TEXT NOT NULL, slot TEXT NOT NULL, cause TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (host, slot, cause)
) STRICT, WITHOUT ROWID;
CREATE TABLE supervisor_gauges (
    host TEXT NOT NULL, name TEXT NOT NULL, value REAL NOT NULL,
    PRIMARY KEY (host, name)
) STRICT, WITHOUT ROWID;

-- Hosts may have different job code (docs/adr/0040). A build is the set of job types that a host
-- describes, named by a digest. `code`: a digest of the type's code, since `code_since_ms` on the
-- clock of that host. NULL: the default of [jobs].
CREATE TABLE job_types (
    build TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
    is_newest INTEGER NOT NULL DEFAULT 0 CHECK (is_newest IN (0, 1)),
    schema TEXT NOT NULL, max_retries INTEGER, timeout_s REAL, queue TEXT,
    description TEXT NOT NULL, backoff_base_s REAL, backoff_factor REAL, backoff_max_s REAL,
    backoff_jitter REAL, retention_s REAL, code TEXT NOT NULL DEFAULT '', code_since_ms INTEGER NOT NULL DEFAULT 0,
    hide TEXT NOT NULL DEFAULT '', PRIMARY KEY (build, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_types_by_name ON job_types (name, is_newest);

-- The hidden fields of types, separated by spaces: `payload.card result.token`. Type '': of all types, as
-- the configuration of the supervisor says. A type that no host has any more keeps them, as its jobs do.
CREATE TABLE hidden_fields (
    type TEXT PRIMARY KEY, hide TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The build that each host described last. `silent_ms`: for how long the host was silent while
-- another process looked, which it last did at `looked_at_ms` (NULL: the host is not silent).
-- `is_gone`: it is silent for minutes, so its build does not count until it is back.
CREATE TABLE host_builds (
    host TEXT PRIMARY KEY,
    build TEXT NOT NULL, since_ms INTEGER NOT NULL, looked_at_ms INTEGER,
    silent_ms INTEGER NOT NULL DEFAULT 0,
    is_gone INTEGER NOT NULL DEFAULT 0 CHECK (is_gone IN (0, 1))
) STRICT, WITHOUT ROWID;

-- What jobs with is_parked = 3 wait for: a worker that has one of these versions of their type.
CREATE TABLE awaited_versions (
    type TEXT NOT NULL, versions TEXT NOT NULL,
    PRIMARY KEY (type, versions)
) STRICT, WITHOUT ROWID;

-- Types whose jobs kill their workers. `crashes`: the evidence. `code`: the digest of the type's code
-- then. `released_ms`: the quarantine is over, but some jobs may still be held back.
CREATE TABLE quarantines (
    type TEXT PRIMARY KEY,
    since_ms INTEGER NOT NULL, crashes TEXT NOT NULL, code TEXT NOT NULL, released_ms INTEGER
) STRICT, WITHOUT ROWID;

-- The latest crashes of a type without a success between: `successes` is how many attempts of the
-- type had succeeded.
CREATE TABLE type_crashes (
    type TEXT NOT NULL, lease_token INTEGER NOT NULL, job_id INTEGER NOT NULL,
    attempt INTEGER NOT NULL, worker TEXT NOT NULL, pid INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL, boot_id TEXT NOT NULL, evidence TEXT NOT NULL, successes INTEGER NOT NULL,
    PRIMARY KEY (type, lease_token)
) STRICT, WITHOUT ROWID;

-- This database is being moved, or was: 'arriving': rows are being copied to it; 'leaving': from it;
-- 'left': all of it has been copied. `move` is the same in both databases. `says`: what a person may
-- do; a start, or a change of a database that is left, prints it.
CREATE TABLE moves (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    state TEXT NOT NULL CHECK (state = 'arriving' OR state = 'leaving' OR state = 'left'),
    move TEXT NOT NULL, says TEXT NOT NULL
) STRICT;
