-- name: last-runs
-- The last five jobs with each of these tags, newest first.
SELECT wanted.value, jobs.id, created_at_ms, status, started_at_ms,
    CASE WHEN status IN ('failed', 'cancelled') THEN (
        SELECT ended.finished_at_ms FROM ended_attempts AS ended
        WHERE ended.job_id = jobs.id AND ended.number = jobs.attempt)
    ELSE finished_at_ms END AS ran_until_ms,
    error_type
FROM json_each(?) AS wanted CROSS JOIN jobs ON jobs.id IN (
    SELECT job_id FROM job_tags WHERE tag = wanted.value ORDER BY job_id DESC LIMIT 5)
ORDER BY jobs.id DESC;
