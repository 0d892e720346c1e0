-- The rules of [[alerts]] (shared/domain/alerts.py). `seq` is the last event that a rule has seen.
-- Who evaluates a rule changes its row, if `version` is still as it was read, in the transaction that
-- inserts the job: so each firing makes one job, also if a leader that was slow evaluates it again.
CREATE TABLE orpheus.alerts (
    name text COLLATE "C" PRIMARY KEY,
    definition text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    version bigint NOT NULL DEFAULT 0,
    state text COLLATE "C" NOT NULL DEFAULT '{}',
    last_job_id bigint
) WITH (fillfactor = 50);

-- The last tick that passed and made no job; NULL since the schedule has run again.
ALTER TABLE orpheus.schedules ADD COLUMN missed_ms bigint;
