-- name: jobs-after
-- The same as `jobs-before` of what waits for the job.
WITH RECURSIVE after_it (id) AS (
    SELECT job_id FROM orpheus.job_dependencies WHERE depends_on = ?
    UNION
    SELECT job_id FROM after_it
        JOIN orpheus.job_dependencies ON job_dependencies.depends_on = after_it.id)
SELECT id FROM after_it LIMIT ?;

-- name: links-of-graph
-- Which of these jobs depend on which.
SELECT job_id, depends_on FROM orpheus.job_dependencies
WHERE job_id IN (SELECT one::bigint FROM json_array_elements_text(?::json) AS one)
    AND depends_on IN (SELECT one::bigint FROM json_array_elements_text(?::json) AS one)
ORDER BY job_id, depends_on;
