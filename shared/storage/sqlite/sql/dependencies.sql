-- name: insert-dependency
-- Record that a job waits for another.
INSERT INTO job_dependencies (job_id, depends_on) VALUES (?, ?);

-- name: mark-dependents
-- Mark a job that others wait for, so that they are looked up when it ends.
UPDATE jobs SET has_dependents = 1 WHERE id = ? RETURNING status;

-- name: waiting-for
-- The jobs that wait for one that has ended.
SELECT jobs.id, jobs.on_dependency_failure, jobs.queue
FROM job_dependencies JOIN jobs ON jobs.id = job_dependencies.job_id
WHERE job_dependencies.depends_on = ? AND jobs.status = 'blocked'
ORDER BY jobs.id;

-- name: waiting-job
-- The same, of one job that has just begun to wait.
SELECT id, on_dependency_failure, queue FROM jobs WHERE id = ? AND status = 'blocked';

-- name: wait-again
-- A job that had ended is retried: the blocked jobs that depend on it wait for it again.
UPDATE jobs SET waits_for = waits_for + 1
WHERE status = 'blocked'
    AND id IN (SELECT job_id FROM job_dependencies WHERE depends_on = ?);

-- name: live-dependencies
-- Count the jobs that a job depends on and that have not ended.
SELECT count(*) FROM job_dependencies JOIN jobs ON jobs.id = job_dependencies.depends_on
WHERE job_dependencies.job_id = ? AND jobs.status IN ('blocked', 'pending', 'in_progress');

-- name: live-dependents
-- A live job that waits for this one.
SELECT jobs.id FROM job_dependencies JOIN jobs ON jobs.id = job_dependencies.job_id
WHERE job_dependencies.depends_on = ? AND jobs.status = 'blocked' LIMIT 1;

-- name: dependency-done
-- A dependency has ended. If it was the last one, the job leaves blocked for pending.
UPDATE jobs SET waits_for = waits_for - 1,
    status = iif(waits_for = 1, 'pending', 'blocked'),
    is_due = iif(waits_for = 1 AND run_at_ms <= ?, 1, is_due)
WHERE id = ? AND status = 'blocked'
RETURNING status;

-- name: dependency-failed
-- Leaves blocked for cancelled or failed, as a dependency failed.
UPDATE jobs SET status = ?, is_due = 0, waits_for = 0, finished_at_ms = ?, error_type = ?, error_message = ?
WHERE id = ? AND status = 'blocked'
RETURNING has_dependents;

-- name: results
-- The results of the jobs that a job depends on, in the order of their ids.
SELECT jobs.id, jobs.result FROM job_dependencies JOIN jobs ON jobs.id = job_dependencies.depends_on
WHERE job_dependencies.job_id = ? AND jobs.result IS NOT NULL ORDER BY jobs.id;
