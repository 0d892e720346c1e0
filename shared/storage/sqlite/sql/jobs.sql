-- name: unknown-ids
-- Those of a JSON list of ids that no job has.
SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = value);

-- name: running-jobs
-- The running job of each incarnation: that of its smallest token, as the others are newer, or
-- prefetched. With a bare min(), SQLite takes the other columns from the row of the minimum.
SELECT id, type, worker, incarnation, started_at_ms, progress, message, in_progress, crashes FROM (
    SELECT id, type, worker, lease_incarnation AS incarnation, started_at_ms, progress, message,
        count(*) AS in_progress, crashes, min(lease_token)
    FROM jobs INDEXED BY jobs_leased WHERE status = 'in_progress' GROUP BY lease_incarnation);

-- name: equals-in-order
-- Compares the first column of an index with a value, where it stands in ORDER BY too.
= ?
