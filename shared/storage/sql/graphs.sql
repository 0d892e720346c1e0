-- name: jobs-before
-- What a job waits for, directly or through others, the nearest first. No more are read than are asked for.
WITH RECURSIVE before_it (id) AS (
    SELECT job_dependencies.depends_on FROM orpheus.job_dependencies
        CROSS JOIN orpheus.jobs ON jobs.id = job_dependencies.depends_on WHERE job_id = ?
    UNION
    SELECT job_dependencies.depends_on FROM before_it
        CROSS JOIN orpheus.job_dependencies ON job_dependencies.job_id = before_it.id
        CROSS JOIN orpheus.jobs ON jobs.id = job_dependencies.depends_on)
SELECT id FROM before_it LIMIT ?;

-- name: jobs-of-graph
-- The jobs of a JSON list of ids, by id, with the fields of GraphJob (shared/domain/graph.py) as columns.
SELECT id, type, status, attempt, progress FROM orpheus.jobs
WHERE id IN (SELECT value FROM {listed-ids} AS shown) ORDER BY id;

-- name: ended-with
-- Count the jobs that ended because a job did, directly or through others, since a time. Who was
-- cancelled by somebody has at most the error of an earlier end.
WITH RECURSIVE ended (id) AS (
    SELECT ?1
    UNION
    SELECT jobs.id FROM ended
        CROSS JOIN orpheus.job_dependencies INDEXED BY job_dependents
            ON job_dependencies.depends_on = ended.id
        CROSS JOIN orpheus.jobs ON jobs.id = job_dependencies.job_id
    WHERE jobs.status IN ('failed', 'cancelled') AND jobs.cancel_requested = 0
        AND jobs.finished_at_ms >= ?2 AND jobs.error_type = 'DependencyFailed'
        AND jobs.error_message LIKE 'it depended on a job: job ' || ended.id || ' is %')
SELECT count(*) - 1 FROM ended;
