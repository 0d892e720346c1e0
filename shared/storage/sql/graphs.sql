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

-- name: jobs-after
-- The same of what waits for the job.
WITH RECURSIVE after_it (id) AS (
    SELECT job_id FROM orpheus.job_dependencies WHERE depends_on = ?
    UNION
    SELECT job_dependencies.job_id FROM after_it
        CROSS JOIN orpheus.job_dependencies INDEXED BY job_dependents
            ON job_dependencies.depends_on = after_it.id)
SELECT id FROM after_it LIMIT ?;

-- name: links-of-graph
-- Which of these jobs depend on which. Because of the +, SQLite reads what each depends on instead of
-- probing the index for each pair.
SELECT job_id, depends_on FROM orpheus.job_dependencies
WHERE job_id IN (SELECT value FROM {listed-ids} AS shown)
    AND +depends_on IN (SELECT value FROM {listed-ids} AS shown)
ORDER BY job_id, depends_on;
