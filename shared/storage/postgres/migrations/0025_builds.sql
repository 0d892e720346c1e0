-- Hosts may have different job code: during a deployment host by host, or for good. A build is the set
-- of job types that one host describes; its name is a digest of them (docs/adr/0040).
DROP TABLE orpheus.job_types;
CREATE TABLE orpheus.job_types (
    build text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    is_newest smallint NOT NULL DEFAULT 0 CHECK (is_newest IN (0, 1)),
    schema text COLLATE "C" NOT NULL,
    max_retries bigint,
    timeout_s double precision,
    queue text COLLATE "C",
    description text COLLATE "C" NOT NULL,
    backoff_base_s double precision,
    backoff_factor double precision,
    backoff_max_s double precision,
    backoff_jitter double precision,
    code text COLLATE "C" NOT NULL DEFAULT '',
    code_since_ms bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (build, name)
);
CREATE INDEX job_types_by_name ON orpheus.job_types (name, is_newest);

-- The build that each host described last, since when, and since when nothing of the host is heard.
-- `is_gone`: for minutes, so its build does not count until the host is back.
CREATE TABLE orpheus.host_builds (
    host text COLLATE "C" PRIMARY KEY,
    build text COLLATE "C" NOT NULL,
    since_ms bigint NOT NULL,
    silent_since_ms bigint,
    is_gone smallint NOT NULL DEFAULT 0 CHECK (is_gone IN (0, 1))
);

-- The build that a worker was started with; '': of no worker, or unknown.
ALTER TABLE orpheus.processes ADD COLUMN build text COLLATE "C" NOT NULL DEFAULT '';

-- The versions of its type that can read the payload of a job, separated by spaces; NULL: all of them.
ALTER TABLE orpheus.jobs ADD COLUMN versions text COLLATE "C";

-- What jobs with is_parked = 3 wait for: a worker that has one of these versions of their type.
CREATE TABLE orpheus.awaited_versions (
    type text COLLATE "C" NOT NULL,
    versions text COLLATE "C" NOT NULL,
    PRIMARY KEY (type, versions)
);

ALTER TABLE orpheus.jobs DROP CONSTRAINT jobs_is_parked;
ALTER TABLE orpheus.jobs ADD CONSTRAINT jobs_is_parked
    CHECK (is_parked = 0 OR ((is_parked = 2 OR (is_parked = 3 AND versions IS NOT NULL)
        OR (is_parked = 1 AND concurrency_key IS NOT NULL))
        AND status = 'pending' AND is_due = 1));

CREATE INDEX jobs_awaiting ON orpheus.jobs (type, versions, queue, priority DESC, run_at_ms, id)
    WHERE is_parked = 3;
