-- name: insert-dependencies
-- Record what the new jobs of a JSON list of ids wait for, as their rows tell.
INSERT INTO job_dependencies (job_id, depends_on)
SELECT jobs.id, one.value
FROM json_each(?) AS new CROSS JOIN jobs ON jobs.id = new.value
    CROSS JOIN json_each(jobs.depends_on) AS one;

-- name: mark-dependents
-- Mark the jobs that these new jobs wait for, so that their dependents are looked up when they end.
UPDATE jobs SET has_dependents = 1
WHERE has_dependents = 0 AND id IN (
    SELECT depends_on FROM job_dependencies WHERE job_id IN (SELECT value FROM json_each(?)));

-- name: ended-dependencies
-- The jobs that these new jobs wait for and that have ended.
SELECT id, status FROM jobs
WHERE status IN ('done', 'failed', 'cancelled') AND id IN (
    SELECT depends_on FROM job_dependencies WHERE job_id IN (SELECT value FROM json_each(?)));

-- name: waiting-for
-- The first jobs that wait for one that has ended. CROSS JOIN: the planner would read all blocked jobs.
SELECT jobs.id, jobs.status, jobs.on_dependency_failure, jobs.queue, jobs.waits_for,
    jobs.has_dependents, jobs.type
FROM job_dependencies INDEXED BY job_dependents
    CROSS JOIN jobs ON jobs.id = job_dependencies.job_id
WHERE job_dependencies.depends_on = ? AND job_dependencies.waits = 1
ORDER BY job_dependencies.job_id LIMIT ?;

-- name: stop-waiting
-- A job no longer waits for one that has ended.
UPDATE job_dependencies SET waits = 0 WHERE job_id = ? AND depends_on = ?;

-- name: dependency-done
-- A dependency has ended. If it was the last one, the job leaves blocked for pending.
UPDATE jobs SET waits_for = waits_for - 1,
    status = iif(waits_for = 1, 'pending', 'blocked'),
    is_due = iif(waits_for = 1 AND run_at_ms <= ?1, 1, is_due),
    freed_at_ms = iif(waits_for = 1, ?1, NULL)
WHERE id = ?2 AND status = 'blocked';

-- name: dependency-failed
-- Leaves blocked for cancelled or failed, as a dependency failed.
UPDATE jobs SET status = ?, is_due = 0, waits_for = 0, finished_at_ms = ?,
    error_type = ?, error_message = ?, error_where = ''
WHERE id = ? AND status = 'blocked';

-- name: any-cascade
-- Is there an ended job whose dependents still wait for it? The write lock is taken only then.
SELECT 1 FROM cascades LIMIT 1;

-- name: first-cascades
-- The first of them, with how they ended.
SELECT jobs.id, jobs.status FROM cascades CROSS JOIN jobs ON jobs.id = cascades.job_id
WHERE jobs.status IN ('done', 'failed', 'cancelled')
ORDER BY cascades.job_id LIMIT ?;

-- name: first-late
-- The first jobs that do not wait yet for what they depend on: a database that was moved from
-- PostgreSQL may have some.
SELECT jobs.id FROM cascades CROSS JOIN jobs ON jobs.id = cascades.job_id
WHERE jobs.status IN ('blocked', 'pending', 'in_progress')
ORDER BY cascades.job_id LIMIT ?;

-- name: end-late
-- They wait now. One that has ended by now stays stored for those that wait for it.
DELETE FROM cascades WHERE job_id IN (
    SELECT id FROM jobs
    WHERE id IN (SELECT value FROM json_each(?))
        AND status IN ('blocked', 'pending', 'in_progress'));

-- name: begin-cascade
-- Some dependents of an ended job still wait for it.
INSERT OR IGNORE INTO cascades (job_id) VALUES (?);

-- name: end-cascade
-- None waits for it any more, or it is live again.
DELETE FROM cascades WHERE job_id = ?;

-- name: wait-again
-- A job that had ended is retried: the blocked jobs that depend on it wait for it again.
UPDATE jobs SET waits_for = waits_for + 1
WHERE status = 'blocked'
    AND id IN (SELECT job_id FROM job_dependencies WHERE depends_on = ? AND waits = 0);

-- name: wait-for-retried
-- The same in the list of what they depend on.
UPDATE job_dependencies SET waits = 1
WHERE depends_on = ? AND waits = 0
    AND EXISTS (SELECT 1 FROM jobs WHERE jobs.id = job_id AND jobs.status = 'blocked');

-- name: wait-for-live
-- A retried job waits for those of its dependencies that are live.
UPDATE job_dependencies SET waits = EXISTS (
    SELECT 1 FROM jobs
    WHERE jobs.id = job_dependencies.depends_on
        AND jobs.status IN ('blocked', 'pending', 'in_progress'))
WHERE job_id = ?;

-- name: waits-for
-- Count the jobs that a job waits for.
SELECT count(*) FROM job_dependencies WHERE job_id = ? AND waits = 1;

-- name: failed-dependency
-- A job that must be done before this one, and that failed or was cancelled.
SELECT others.id, others.status
FROM jobs CROSS JOIN job_dependencies ON job_dependencies.job_id = jobs.id
    CROSS JOIN jobs AS others ON others.id = job_dependencies.depends_on
WHERE jobs.id = ? AND jobs.on_dependency_failure <> 'run'
    AND others.status IN ('failed', 'cancelled') LIMIT 1;

-- name: needed-by
-- A job that depends on this one and may still read its result, or may after a retry.
SELECT jobs.id, jobs.status FROM job_dependencies INDEXED BY job_dependents
    CROSS JOIN jobs ON jobs.id = job_dependencies.job_id
WHERE job_dependencies.depends_on = ? AND jobs.status <> 'done' LIMIT 1;

-- name: name-dependency
-- What a job calls one of those it waits for.
UPDATE job_dependencies SET ref = ? WHERE job_id = ? AND depends_on = ?;

-- name: dependencies-of
-- The jobs that a job depends on, by id, with the fields of Dependency (shared/domain/jobs.py) as columns.
SELECT jobs.id, type, status, result,
    CASE WHEN error_type IS NOT NULL
        THEN json_array(error_type, coalesce(error_message, ''), error_traceback) END AS error,
    ref
FROM job_dependencies CROSS JOIN jobs ON jobs.id = job_dependencies.depends_on
WHERE job_dependencies.job_id = ? ORDER BY jobs.id;

-- name: order-of-cancel
-- Of a JSON list of ids: a job, and one that waits for it and so is cancelled before it.
SELECT needed.value, jobs.id, 0
FROM json_each(?) AS needed
    CROSS JOIN job_dependencies INDEXED BY job_dependents ON job_dependencies.depends_on = needed.value
    CROSS JOIN jobs ON jobs.id = job_dependencies.job_id
WHERE jobs.status = 'blocked';

-- name: order-of-delete
-- The same for a delete: a job that may still read the result must be gone (1).
SELECT needed.value, jobs.id, 1
FROM json_each(?) AS needed
    CROSS JOIN job_dependencies INDEXED BY job_dependents ON job_dependencies.depends_on = needed.value
    CROSS JOIN jobs ON jobs.id = job_dependencies.job_id
WHERE jobs.status <> 'done';

-- name: order-of-retry
-- The same for a retry: what a job depends on is retried before it, and must be (1) unless the job
-- runs whatever becomes of it.
SELECT jobs.id, others.id, jobs.on_dependency_failure <> 'run'
FROM json_each(?) AS waiting CROSS JOIN jobs ON jobs.id = waiting.value
    CROSS JOIN job_dependencies ON job_dependencies.job_id = jobs.id
    CROSS JOIN jobs AS others ON others.id = job_dependencies.depends_on
WHERE others.status IN ('failed', 'cancelled');

-- name: blocked-by-blocked
-- Blocked jobs that wait for blocked jobs and that others wait for: only these can form a circle.
SELECT jobs.id, others.id
FROM jobs INDEXED BY jobs_by_status
    CROSS JOIN job_dependencies ON job_dependencies.job_id = jobs.id AND job_dependencies.waits = 1
    CROSS JOIN jobs AS others ON others.id = job_dependencies.depends_on
WHERE jobs.status = 'blocked' AND jobs.has_dependents = 1 AND others.status = 'blocked';
