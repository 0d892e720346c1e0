-- name: jobs-before
-- What a job waits for, directly or through others, the nearest first. No more are read than are asked for.
WITH RECURSIVE before_it (id) AS (
    SELECT job_dependencies.depends_on FROM orpheus.job_dependencies
        JOIN orpheus.jobs ON jobs.id = job_dependencies.depends_on WHERE job_id = ?
    UNION
    SELECT job_dependencies.depends_on FROM before_it
        JOIN orpheus.job_dependencies ON job_dependencies.job_id = before_it.id
        JOIN orpheus.jobs ON jobs.id = job_dependencies.depends_on)
SELECT id FROM before_it LIMIT ?;

-- name: jobs-after
-- The same of what waits for it.
WITH RECURSIVE after_it (id) AS (
    SELECT job_id FROM orpheus.job_dependencies WHERE depends_on = ?
    UNION
    SELECT job_id FROM after_it
        JOIN orpheus.job_dependencies ON job_dependencies.depends_on = after_it.id)
SELECT id FROM after_it LIMIT ?;

-- name: jobs-of-graph
-- The jobs of a JSON list of ids, by id, with the fields of GraphJob (shared/domain/graph.py) as columns.
SELECT id, type, status, attempt, progress FROM orpheus.jobs
WHERE id IN (SELECT one::bigint FROM json_array_elements_text(?::json) AS one) ORDER BY id;

-- name: links-of-graph
-- Which of these jobs depend on which.
SELECT job_id, depends_on FROM orpheus.job_dependencies
WHERE job_id IN (SELECT one::bigint FROM json_array_elements_text(?::json) AS one) AND depends_on IN (SELECT one::bigint FROM json_array_elements_text(?::json) AS one)
ORDER BY job_id, depends_on;

-- name: ended-with
-- Count the jobs that ended because a job did, directly or through others, since a time. Who was
-- cancelled by somebody has at most the error of an earlier end.
WITH RECURSIVE ended (id) AS (
    SELECT ?1::bigint
    UNION
    SELECT jobs.id FROM ended
        JOIN orpheus.job_dependencies ON job_dependencies.depends_on = ended.id
        JOIN orpheus.jobs ON jobs.id = job_dependencies.job_id
    WHERE jobs.status IN ('failed', 'cancelled') AND jobs.cancel_requested = 0
        AND jobs.finished_at_ms >= ?2 AND jobs.error_type = 'DependencyFailed'
        AND jobs.error_message LIKE 'it depended on a job: job ' || ended.id || ' is %')
SELECT count(*) - 1 FROM ended;
