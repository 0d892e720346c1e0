-- What only grows, for counters that must not fall when retention deletes what they counted:
-- 'ended': jobs by the status they ended with; 'waited': attempts in the bucket of how long they
-- waited (without an outcome: ''); 'ran': by outcome, in the bucket of how long they ran. The
-- buckets' bounds stand in shared/storage/totals.py.
CREATE TABLE totals (
    measure TEXT NOT NULL
        CHECK (measure = 'ended' OR measure = 'waited' OR measure = 'ran'),
    outcome TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    n INTEGER NOT NULL,
    sum_ms INTEGER NOT NULL,
    PRIMARY KEY (measure, outcome, bucket)
) STRICT, WITHOUT ROWID;

-- What ended within the last 30 days is known by the minute.
INSERT INTO totals SELECT 'ended', status, 0, sum(n), 0 FROM finished_per_minute GROUP BY status;
