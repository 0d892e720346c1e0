-- Types that are quarantined: their jobs kill their workers (shared/storage/verbs/quarantines.py).
-- `crashes`: a JSON list, the evidence. `code`: of the type, at that time. `released_ms`: it is
-- quarantined no more, but some of its jobs may still be held back.
CREATE TABLE orpheus.quarantines (
    type text COLLATE "C" PRIMARY KEY,
    since_ms bigint NOT NULL,
    crashes text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    released_ms bigint
);

-- The latest crashes of a type without a success between: `successes` is how many attempts of the type
-- had succeeded.
CREATE TABLE orpheus.type_crashes (
    type text COLLATE "C" NOT NULL,
    lease_token bigint NOT NULL,
    job_id bigint NOT NULL,
    attempt bigint NOT NULL,
    worker text COLLATE "C" NOT NULL,
    pid bigint NOT NULL,
    at_ms bigint NOT NULL,
    mono_ms bigint NOT NULL,
    boot_id text COLLATE "C" NOT NULL,
    evidence text COLLATE "C" NOT NULL,
    successes bigint NOT NULL,
    PRIMARY KEY (type, lease_token)
);

-- A digest of the code of the job type, as the process found it that described it last, and since when
-- it is that, on the clock of that host. Workers that were started earlier may have other code.
ALTER TABLE orpheus.job_types ADD COLUMN code text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE orpheus.job_types ADD COLUMN code_since_ms bigint NOT NULL DEFAULT 0;

-- A due job may be parked for another reason than its key: is_parked = 2, as its type is quarantined.
DO $$
DECLARE
    old text;
BEGIN
    SELECT conname INTO STRICT old FROM pg_catalog.pg_constraint
    WHERE conrelid = 'orpheus.jobs'::regclass AND contype = 'c'
        AND pg_get_constraintdef(oid) LIKE '%is_parked%';
    EXECUTE format('ALTER TABLE orpheus.jobs DROP CONSTRAINT %I', old);
END $$;
ALTER TABLE orpheus.jobs ADD CONSTRAINT jobs_is_parked
    CHECK (is_parked = 0 OR ((is_parked = 2 OR (is_parked = 1 AND concurrency_key IS NOT NULL))
        AND status = 'pending' AND is_due = 1));

-- What is held back, by type, in the order of leasing.
CREATE INDEX jobs_held ON orpheus.jobs (type, priority DESC, run_at_ms, id) WHERE is_parked = 2;
