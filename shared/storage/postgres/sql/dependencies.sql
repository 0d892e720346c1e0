-- name: mark-dependents
-- Mark the jobs that these new jobs wait for, so that their dependents are looked up when they end.
-- All are locked, also those that are marked: whoever ends one looks before or after this, not between.
WITH held AS MATERIALIZED (
    SELECT id FROM orpheus.jobs
    WHERE id IN (
        SELECT depends_on FROM orpheus.job_dependencies
        WHERE job_id IN (SELECT one::bigint FROM json_array_elements_text(?::json) AS one))
    ORDER BY id FOR NO KEY UPDATE)
UPDATE orpheus.jobs SET has_dependents = 1
FROM held WHERE jobs.id = held.id AND jobs.has_dependents = 0;

-- name: lock-dependents
-- Lock the first jobs that wait for those of a JSON list of ids.
SELECT id FROM orpheus.jobs
WHERE id IN (
    SELECT first.job_id
    FROM json_array_elements_text(?1::json) AS ended CROSS JOIN LATERAL (
        SELECT job_id FROM orpheus.job_dependencies
        WHERE depends_on = ended::bigint AND waits = 1 ORDER BY job_id LIMIT ?2) AS first)
ORDER BY id LIMIT ?2 FOR NO KEY UPDATE;
