-- name: jobs-after
-- The same as `jobs-before` of what waits for the job. SQLite reads all that wait for a job before it
-- goes on to the next: of each only so many are given to it, as a list.
WITH RECURSIVE after_it (id) AS (
    SELECT ?1
    UNION
    SELECT value FROM after_it CROSS JOIN json_each((
        SELECT json_group_array(job_id) FROM (
            SELECT job_id FROM job_dependencies INDEXED BY job_dependents
            WHERE depends_on = after_it.id LIMIT ?2))))
SELECT id FROM after_it LIMIT ?2 OFFSET 1;

-- name: links-of-graph
-- Which of these jobs depend on which. The + keeps the index from being probed for each pair of them: what
-- each depends on is read instead, which is bounded (MAX_DEPENDENCIES), and mostly few.
SELECT job_id, depends_on FROM job_dependencies
WHERE job_id IN (SELECT value FROM json_each(?)) AND +depends_on IN (SELECT value FROM json_each(?))
ORDER BY job_id, depends_on;
