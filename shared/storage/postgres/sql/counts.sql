-- name: change-count
-- Change the number of jobs of a queue in a status: the sum of all rows is the number.
INSERT INTO orpheus.job_counts (queue, status, n) VALUES (?, ?, ?);

-- name: add-finished
-- Add to the jobs of a queue and type that ended in this minute, and to how long those that are done
-- ran. A type that is not described is ''.
INSERT INTO orpheus.finished_per_minute (minute, queue, type, status, n, ran_ms)
VALUES (?, ?, coalesce((SELECT name FROM orpheus.job_types WHERE name = ? LIMIT 1), ''), ?, ?, ?);

-- name: add-total
-- Add to the jobs that ended, or to a bucket of waiting or running times.
INSERT INTO orpheus.totals (measure, outcome, bucket, n, sum_ms) VALUES (?, ?, ?, ?, ?);

-- name: add-type-total
-- Add to the attempts of a type in a bucket of what they took; of one that is not described, to ''. Of
-- many rows at once.
INSERT INTO orpheus.type_totals (type, measure, outcome, bucket, n, total, most)
SELECT coalesce(job_types.name, ''), measure, outcome, bucket, n, total, most
FROM unnest(?::text[], ?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])
        AS added (type, measure, outcome, bucket, n, total, most)
    LEFT JOIN orpheus.job_types ON job_types.name = added.type AND is_newest = 1;

-- name: type-totals
-- Read what all types cost.
SELECT type, measure, outcome, bucket, CAST(sum(n) AS bigint), sum(total)::bigint, max(most)
FROM orpheus.type_totals GROUP BY type, measure, outcome, bucket;

-- name: totals
-- Read the totals of one measure.
SELECT outcome, bucket, CAST(sum(n) AS bigint), sum(sum_ms)::bigint FROM orpheus.totals
WHERE measure = ? GROUP BY outcome, bucket;

-- name: counts
-- Read the number of jobs by queue and status.
SELECT queue, status, CAST(sum(n) AS bigint) FROM orpheus.job_counts
GROUP BY queue, status ORDER BY queue, status;

-- name: latest-runs
-- When the newest jobs that ended were due, free to run, started and ended, from the newest events only.
-- An attempt whose worker died unseen ended before its job.
SELECT (body::json ->> 'run_at_ms')::bigint, (body::json ->> 'freed_at_ms')::bigint,
    (body::json ->> 'started_at_ms')::bigint, coalesce((
        SELECT finished_at_ms FROM orpheus.ended_attempts
        WHERE kind = 'job.failed' AND ended_attempts.job_id = newest.job_id
            AND number = (body::json ->> 'attempt')::bigint),
        (body::json ->> 'finished_at_ms')::bigint)
FROM (SELECT kind, job_id, body, seq FROM orpheus.events ORDER BY seq DESC LIMIT 5000) AS newest
WHERE kind IN ('job.done', 'job.failed') ORDER BY seq DESC LIMIT 1000;

-- name: due-of-queues
-- How many jobs of each of a JSON list of queues are due: those that may be leased, and those that
-- wait for room of their key, each counted up to a number.
-- "= ANY" and the queue in ORDER BY: as for `late-jobs` (alerts.sql).
SELECT value, (
    SELECT count(*) FROM (
        SELECT 1 FROM orpheus.jobs
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = ANY (ARRAY[value])
        ORDER BY queue, priority DESC, run_at_ms, id LIMIT ?2) AS free) + (
    SELECT count(*) FROM (
        SELECT 1 FROM orpheus.jobs
        WHERE is_parked = 1 AND queue = value
        LIMIT ?2) AS parked)
FROM json_array_elements_text(?1::json) AS one (value);
