-- Types that are quarantined: their jobs kill their workers (shared/storage/verbs/quarantines.py).
-- `crashes`: a JSON list, the evidence. `code`: of the type, at that time. `released_ms`: it is
-- quarantined no more, but some of its jobs may still be held back.
CREATE TABLE quarantines (
    type TEXT PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    crashes TEXT NOT NULL,
    code TEXT NOT NULL,
    released_ms INTEGER
) STRICT, WITHOUT ROWID;

-- The latest crashes of a type without a success between: `successes` is how many attempts of the type
-- had succeeded. The time is on the monotonic clock of one boot.
CREATE TABLE type_crashes (
    type TEXT NOT NULL,
    lease_token INTEGER NOT NULL,
    job_id INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    worker TEXT NOT NULL,
    pid INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    evidence TEXT NOT NULL,
    successes INTEGER NOT NULL,
    PRIMARY KEY (type, lease_token)
) STRICT, WITHOUT ROWID;

-- A digest of the code of the job type, as the process found it that described it last, and since when
-- it is that, on the clock of that host. Workers that were started earlier may have other code.
ALTER TABLE job_types ADD COLUMN code TEXT NOT NULL DEFAULT '';
ALTER TABLE job_types ADD COLUMN code_since_ms INTEGER NOT NULL DEFAULT 0;

-- A due job may be parked for another reason than its key: is_parked = 2, as its type is quarantined.
-- SQLite cannot alter a CHECK; its documentation of ALTER TABLE describes this way, which leaves the
-- rows alone. Another column would have to be in the condition of each index of what may be leased.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql,
    'is_parked = 0 OR (is_parked = 1 AND concurrency_key IS NOT NULL',
    'is_parked = 0 OR ((is_parked = 2 OR (is_parked = 1 AND concurrency_key IS NOT NULL))')
WHERE type = 'table' AND name = 'jobs';
PRAGMA writable_schema = RESET;

-- What is held back, by type, in the order of leasing.
CREATE INDEX jobs_held ON jobs (type, priority DESC, run_at_ms, id) WHERE is_parked = 2;
