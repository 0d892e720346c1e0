-- name: jobs-before
-- What a job waits for, directly or through others, the nearest first. No more are read than are asked for.
WITH RECURSIVE before_it (id) AS (
    SELECT job_dependencies.depends_on FROM job_dependencies
        CROSS JOIN jobs ON jobs.id = job_dependencies.depends_on WHERE job_id = ?
    UNION
    SELECT job_dependencies.depends_on FROM before_it
        CROSS JOIN job_dependencies ON job_dependencies.job_id = before_it.id
        CROSS JOIN jobs ON jobs.id = job_dependencies.depends_on)
SELECT id FROM before_it LIMIT ?;

-- name: jobs-after
-- The same of what waits for it. SQLite reads all that wait for a job before it goes on to the next: of
-- each only so many are given to it, as a list.
WITH RECURSIVE after_it (id) AS (
    SELECT ?1
    UNION
    SELECT value FROM after_it CROSS JOIN json_each((
        SELECT json_group_array(job_id) FROM (
            SELECT job_id FROM job_dependencies INDEXED BY job_dependents
            WHERE depends_on = after_it.id LIMIT ?2))))
SELECT id FROM after_it LIMIT ?2 OFFSET 1;

-- name: jobs-of-graph
-- The jobs of a JSON list of ids, by id, with the fields of GraphJob (shared/domain/graph.py) as columns.
SELECT id, type, status, attempt, progress FROM jobs
WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id;

-- name: links-of-graph
-- Which of these jobs depend on which. The + keeps the index from being probed for each pair of them: what
-- each depends on is read instead, which is bounded (MAX_DEPENDENCIES), and mostly few.
SELECT job_id, depends_on FROM job_dependencies
WHERE job_id IN (SELECT value FROM json_each(?)) AND +depends_on IN (SELECT value FROM json_each(?))
ORDER BY job_id, depends_on;

-- name: ended-with
-- Count the jobs that ended because a job did, directly or through others, since a time. Who was
-- cancelled by somebody has at most the error of an earlier end.
WITH RECURSIVE ended (id) AS (
    SELECT ?1
    UNION
    SELECT jobs.id FROM ended
        CROSS JOIN job_dependencies INDEXED BY job_dependents ON job_dependencies.depends_on = ended.id
        CROSS JOIN jobs ON jobs.id = job_dependencies.job_id
    WHERE jobs.status IN ('failed', 'cancelled') AND jobs.cancel_requested = 0
        AND jobs.finished_at_ms >= ?2 AND jobs.error_type = 'DependencyFailed'
        AND jobs.error_message LIKE 'it depended on a job: job ' || ended.id || ' is %')
SELECT count(*) - 1 FROM ended;
