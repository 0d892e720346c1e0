-- Limits per key. A due job whose key has no room is parked: it is not in the indexes of what may be
-- leased, so no lease reads past it (shared/storage/sqlite/keys.py).
ALTER TABLE jobs ADD COLUMN concurrency_key TEXT;
ALTER TABLE jobs ADD COLUMN is_parked INTEGER NOT NULL DEFAULT 0
    CHECK (is_parked = 0 OR (is_parked = 1 AND concurrency_key IS NOT NULL
        AND status = 'pending' AND is_due = 1));

DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (queue, priority DESC, run_at_ms, id)
    WHERE status = 'pending' AND is_due = 1 AND is_parked = 0;
DROP INDEX jobs_due_of_all;
CREATE INDEX jobs_due_of_all ON jobs (priority DESC, run_at_ms, id)
    WHERE status = 'pending' AND is_due = 1 AND is_parked = 0;

-- What is parked, by key, in the order of leasing.
CREATE INDEX jobs_parked ON jobs (queue, concurrency_key, priority DESC, run_at_ms, id)
    WHERE is_parked = 1;
-- What runs or may be leased, by key. A job without a key is in neither of the two.
CREATE INDEX jobs_of_key ON jobs (queue, concurrency_key, status, is_due, priority DESC, run_at_ms, id)
    WHERE concurrency_key IS NOT NULL AND is_parked = 0 AND finished_at_ms IS NULL;

ALTER TABLE queues ADD COLUMN max_running_per_key INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queues ADD COLUMN key_rate_starts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queues ADD COLUMN key_rate_period_s INTEGER NOT NULL DEFAULT 1;
ALTER TABLE queues ADD COLUMN key_rate_burst INTEGER NOT NULL DEFAULT 1;
-- The limits have changed: parked jobs of the keys after this one are still to be looked at.
ALTER TABLE queues ADD COLUMN sweep_after TEXT;

-- The tokens of keys whose rate is not whole: when the bucket is full again, on the monotonic clock of
-- one boot. `opens_mono_ms`: jobs are parked until then, when the next token comes.
CREATE TABLE key_rates (
    queue TEXT NOT NULL,
    key TEXT NOT NULL,
    full_mono_ms REAL NOT NULL,
    boot_id TEXT NOT NULL,
    opens_mono_ms INTEGER,
    PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX key_rates_waiting ON key_rates (boot_id, opens_mono_ms) WHERE opens_mono_ms IS NOT NULL;
CREATE INDEX key_rates_idle ON key_rates (boot_id, full_mono_ms) WHERE opens_mono_ms IS NULL;
