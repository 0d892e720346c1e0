-- name: expired-jobs
-- Jobs of one terminal status that ended before a time, oldest first, from a position on. A job that
-- another depends on is kept until that one is done or gone: its result may still be read, also
-- after a retry.
SELECT id, finished_at_ms FROM jobs INDEXED BY jobs_ended
WHERE status = ?1 AND finished_at_ms < ?2 AND (finished_at_ms, id) > (?3, ?4)
    AND (has_dependents = 0 OR NOT EXISTS (
        SELECT 1 FROM job_dependencies INDEXED BY job_dependents
            CROSS JOIN jobs AS others ON others.id = job_dependencies.job_id
        WHERE job_dependencies.depends_on = jobs.id AND others.status <> 'done'))
ORDER BY finished_at_ms, id LIMIT ?5;

-- name: delete-expired
-- Delete the job itself, unless a new job depends on it since it was found.
DELETE FROM jobs WHERE id = ?1
    AND (has_dependents = 0 OR NOT EXISTS (
        SELECT 1 FROM job_dependencies INDEXED BY job_dependents
            CROSS JOIN jobs AS others ON others.id = job_dependencies.job_id
        WHERE job_dependencies.depends_on = ?1 AND others.status <> 'done'))
RETURNING queue;
