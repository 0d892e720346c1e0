-- The rules of [[alerts]] (shared/domain/alerts.py). `seq` is the last event that a rule has seen.
-- Who evaluates a rule changes its row, if `version` is still as it was read, in the transaction that
-- inserts the job: so each firing makes one job.
CREATE TABLE alerts (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL,
    seq INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT '{}',
    last_job_id INTEGER
) STRICT;

-- The last tick that passed and made no job; NULL since the schedule has run again.
ALTER TABLE schedules ADD COLUMN missed_ms INTEGER;
