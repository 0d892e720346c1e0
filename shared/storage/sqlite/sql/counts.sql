-- name: change-count
-- Change the number of jobs of a queue in a status. max(): the CHECK also tests the row that would be
-- inserted, which a decrease would make negative.
INSERT INTO job_counts (queue, status, n) VALUES (?1, ?2, max(?3, 0))
ON CONFLICT (queue, status) DO UPDATE SET n = n + ?3;

-- name: add-finished
-- Add to the jobs of a queue and type that ended in this minute, and to how long those that are done
-- ran. A type that is not described is ''.
INSERT INTO finished_per_minute (minute, queue, type, status, n, ran_ms)
VALUES (?1, ?2, iif(EXISTS (SELECT 1 FROM job_types WHERE name = ?3), ?3, ''), ?4, ?5, ?6)
ON CONFLICT (minute, queue, type, status)
DO UPDATE SET n = n + excluded.n, ran_ms = ran_ms + excluded.ran_ms;

-- name: add-total
-- Add to the jobs that ended, or to a bucket of waiting or running times.
INSERT INTO totals (measure, outcome, bucket, n, sum_ms) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (measure, outcome, bucket)
DO UPDATE SET n = n + excluded.n, sum_ms = sum_ms + excluded.sum_ms;

-- name: add-type-total
-- Add to the attempts of a type in a bucket of what they took; of one that is not described, to ''.
INSERT INTO type_totals (type, measure, outcome, bucket, n, total, most)
VALUES (iif(EXISTS (SELECT 1 FROM job_types WHERE name = ?1), ?1, ''), ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (type, measure, outcome, bucket)
DO UPDATE SET n = n + excluded.n, total = total + excluded.total, most = max(most, excluded.most);

-- name: type-totals
-- Read what all types cost.
SELECT type, measure, outcome, bucket, n, total, most FROM type_totals;

-- name: totals
-- Read the totals of one measure.
SELECT outcome, bucket, n, sum_ms FROM totals WHERE measure = ?;

-- name: counts
-- Read the number of jobs by queue and status.
SELECT queue, status, n FROM job_counts ORDER BY queue, status;

-- name: latest-runs
-- When the newest jobs that ended were due, free to run, started and ended, from the newest events only.
-- An attempt whose worker died unseen ended before its job.
SELECT body ->> 'run_at_ms', body ->> 'freed_at_ms', body ->> 'started_at_ms',
    coalesce((
        SELECT finished_at_ms FROM ended_attempts
        WHERE kind = 'job.failed' AND ended_attempts.job_id = newest.job_id
            AND number = body ->> 'attempt'), body ->> 'finished_at_ms')
FROM (SELECT kind, job_id, body, seq FROM events ORDER BY seq DESC LIMIT 5000) AS newest
WHERE kind IN ('job.done', 'job.failed') ORDER BY seq DESC LIMIT 1000;

-- name: due-of-queues
-- How many jobs of each of a JSON list of queues are due: those that may be leased, and those that
-- wait for room of their key, each counted up to a number.
SELECT value, (
    SELECT count(*) FROM (
        SELECT 1 FROM jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = value
        LIMIT ?2) AS free) + (
    SELECT count(*) FROM (
        SELECT 1 FROM jobs INDEXED BY jobs_parked
        WHERE is_parked = 1 AND queue = value
        LIMIT ?2) AS parked)
FROM json_each(?1) AS one;
