-- name: finished-since-by-type
-- Jobs that ended since a minute, by type and status.
SELECT type, status, CAST(sum(n) AS bigint) FROM orpheus.ended_by_minute WHERE minute >= ?
GROUP BY type, status;

-- name: first-job-from
-- The first job that has at least this id, and when it was submitted.
SELECT id, created_at_ms FROM orpheus.jobs WHERE id >= ? ORDER BY id LIMIT 1;

-- name: finished-by-minute
-- Jobs that ended since a minute, by minute and status, oldest first.
SELECT minute, status, CAST(sum(n) AS bigint) FROM orpheus.ended_by_minute
WHERE minute >= ? GROUP BY minute, status ORDER BY minute;

-- name: only-failed
-- The types whose jobs that ended since a minute all failed, and how often: if at least so often,
-- and if a job is still failed for another reason than a dependency.
SELECT type, failed
FROM (
    SELECT type, CAST(sum(n) FILTER (WHERE status = 'failed') AS bigint) AS failed
    FROM orpheus.ended_by_minute WHERE minute >= ?1 AND type <> ''
    GROUP BY type HAVING coalesce(sum(n) FILTER (WHERE status = 'done'), 0) = 0) AS ended
WHERE failed >= ?2
    AND (EXISTS (
        SELECT 1 FROM orpheus.jobs INDEXED BY jobs_failed
        WHERE status = 'failed' AND jobs.type = ended.type AND error_type < 'DependencyFailed')
    OR EXISTS (
        SELECT 1 FROM orpheus.jobs INDEXED BY jobs_failed
        WHERE status = 'failed' AND jobs.type = ended.type AND error_type > 'DependencyFailed'));

-- name: ended-by-queue
-- By queue: how many jobs ended since minute ?2, and how many were done since minute ?1 and how long they ran.
SELECT queue, CAST(coalesce(sum(n) FILTER (WHERE minute >= ?2), 0) AS bigint),
    CAST(coalesce(sum(n) FILTER (WHERE status = 'done'), 0) AS bigint),
    CAST(coalesce(sum(ran_ms) FILTER (WHERE status = 'done'), 0) AS bigint)
FROM orpheus.ended_by_minute WHERE minute >= ?1 GROUP BY queue;

-- name: newest-of-queue
-- How many jobs of a queue have at least this id, up to a number.
SELECT count(*) FROM (
    SELECT 1 FROM orpheus.jobs INDEXED BY jobs_by_queue WHERE queue = ? AND id >= ? LIMIT ?) AS counted;

-- name: latest-runs
-- When the jobs of a status that ended last were due, free to run, started, and ended their last attempt.
SELECT finished_at_ms, run_at_ms, freed_at_ms, started_at_ms, {ran-until-column}
FROM orpheus.jobs INDEXED BY jobs_ended
WHERE finished_at_ms IS NOT NULL AND status = ? ORDER BY finished_at_ms DESC LIMIT ?;

-- name: due-of-queue
-- How many jobs of a queue are due: those that may be leased, and those that wait for room of their key,
-- each counted up to a number.
SELECT ?1, (
    SELECT count(*) FROM (
        SELECT 1 FROM orpheus.jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND {in-queue}
        ORDER BY queue, priority DESC, run_at_ms, id LIMIT ?2) AS free) + (
    SELECT count(*) FROM (
        SELECT 1 FROM orpheus.jobs INDEXED BY jobs_parked
        WHERE is_parked = 1 AND queue = ?1 LIMIT ?2) AS parked);

-- name: type-totals
-- What all types cost, and how their jobs ended.
SELECT type, measure, outcome, bucket, CAST(sum(n) AS bigint), CAST(sum(total) AS bigint), max(most)
FROM orpheus.type_totals GROUP BY type, measure, outcome, bucket;

-- name: totals
-- The totals of one measure, of all types together.
SELECT outcome, bucket, CAST(sum(n) AS bigint), CAST(sum(total) AS bigint)
FROM orpheus.type_totals WHERE measure = ? GROUP BY outcome, bucket;

-- name: counts
-- The number of jobs by queue and status.
SELECT queue, status, CAST(sum(n) AS bigint) FROM orpheus.job_counts
GROUP BY queue, status ORDER BY queue, status;
