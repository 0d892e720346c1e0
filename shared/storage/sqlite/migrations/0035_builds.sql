-- Hosts may have different job code: during a deployment host by host, or for good. A build is the set
-- of job types that one host describes; its name is a digest of them (docs/adr/0040).
DROP TABLE job_types;
CREATE TABLE job_types (
    build TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    is_newest INTEGER NOT NULL DEFAULT 0 CHECK (is_newest IN (0, 1)),
    schema TEXT NOT NULL,
    max_retries INTEGER,
    timeout_s REAL,
    queue TEXT,
    description TEXT NOT NULL,
    backoff_base_s REAL,
    backoff_factor REAL,
    backoff_max_s REAL,
    backoff_jitter REAL,
    code TEXT NOT NULL DEFAULT '',
    code_since_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (build, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_types_by_name ON job_types (name, is_newest);

-- The build that each host described last, since when, and since when nothing of the host is heard.
-- `is_gone`: for minutes, so its build does not count until the host is back.
CREATE TABLE host_builds (
    host TEXT PRIMARY KEY,
    build TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    silent_since_ms INTEGER,
    is_gone INTEGER NOT NULL DEFAULT 0 CHECK (is_gone IN (0, 1))
) STRICT, WITHOUT ROWID;

-- The build that a worker was started with; '': of no worker, or unknown.
ALTER TABLE processes ADD COLUMN build TEXT NOT NULL DEFAULT '';

-- The versions of its type that can read the payload of a job, separated by spaces; NULL: all of them.
ALTER TABLE jobs ADD COLUMN versions TEXT;

-- What jobs with is_parked = 3 wait for: a worker that has one of these versions of their type.
CREATE TABLE awaited_versions (
    type TEXT NOT NULL,
    versions TEXT NOT NULL,
    PRIMARY KEY (type, versions)
) STRICT, WITHOUT ROWID;

-- See 0022_quarantines.sql.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql,
    'is_parked = 0 OR ((is_parked = 2 OR (',
    'is_parked = 0 OR ((is_parked = 2 OR (is_parked = 3 AND versions IS NOT NULL) OR (')
WHERE type = 'table' AND name = 'jobs';
PRAGMA writable_schema = RESET;

CREATE INDEX jobs_awaiting ON jobs (type, versions, queue, priority DESC, run_at_ms, id)
    WHERE is_parked = 3;
