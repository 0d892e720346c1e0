-- name: last-runs
-- The last five jobs with each of these tags, newest first. For `jobs.id IN (…)`, as it stands for
-- SQLite, PostgreSQL would read all jobs for each tag.
SELECT wanted.tag, jobs.id, created_at_ms, status, started_at_ms,
    CASE WHEN status IN ('failed', 'cancelled') THEN (
        SELECT ended.finished_at_ms FROM orpheus.ended_attempts AS ended
        WHERE ended.job_id = jobs.id AND ended.number = jobs.attempt)
    ELSE finished_at_ms END AS ran_until_ms,
    error_type
FROM json_array_elements_text(?::json) AS wanted (tag)
    CROSS JOIN LATERAL (
        SELECT job_id FROM orpheus.job_tags WHERE job_tags.tag = wanted.tag
        ORDER BY job_id DESC LIMIT 5) AS run
    JOIN orpheus.jobs ON jobs.id = run.job_id
ORDER BY jobs.id DESC;
