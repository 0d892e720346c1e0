-- part: dependents-of-listed
-- The jobs that depend on those of a JSON list of ids.
FROM {listed-ids} AS needed
    CROSS JOIN orpheus.job_dependencies INDEXED BY job_dependents
        ON job_dependencies.depends_on = needed.value
    CROSS JOIN orpheus.jobs ON jobs.id = job_dependencies.job_id

-- name: ended-dependencies
-- The jobs that these new jobs wait for and that have ended.
SELECT id, status FROM orpheus.jobs
WHERE status IN ('done', 'failed', 'cancelled') AND id IN (
    SELECT depends_on FROM orpheus.job_dependencies
    WHERE job_id IN (SELECT value FROM {listed-ids} AS new));

-- name: waiting-for
-- The first jobs that wait for one that has ended; they stay locked. CROSS JOIN: SQLite's planner would
-- read all blocked jobs.
SELECT jobs.id, jobs.status,
    CASE WHEN child IS NULL THEN jobs.on_dependency_failure ELSE 'run' END AS on_dependency_failure,
    jobs.queue, jobs.waits_for, jobs.has_dependents, jobs.type
FROM orpheus.job_dependencies INDEXED BY job_dependents
    CROSS JOIN orpheus.jobs ON jobs.id = job_dependencies.job_id
WHERE job_dependencies.depends_on = ? AND job_dependencies.waits = 1
ORDER BY job_dependencies.job_id LIMIT ? FOR NO KEY UPDATE OF jobs;

-- name: stop-waiting
-- A job no longer waits for one that has ended.
UPDATE orpheus.job_dependencies SET waits = 0 WHERE job_id = ? AND depends_on = ?;

-- name: dependency-done
-- A dependency has ended. If it was the last one, the job leaves blocked for pending.
UPDATE orpheus.jobs SET waits_for = waits_for - 1,
    status = CASE WHEN waits_for = 1 THEN 'pending' ELSE 'blocked' END,
    is_due = CASE WHEN waits_for = 1 AND run_at_ms <= ?1 THEN 1 ELSE is_due END,
    freed_at_ms = CASE WHEN waits_for = 1 THEN ?1 END
WHERE id = ?2 AND status = 'blocked';

-- name: dependency-failed
-- Leaves blocked for cancelled or failed, as a dependency failed.
UPDATE orpheus.jobs SET status = ?, is_due = 0, waits_for = 0, finished_at_ms = ?,
    error_type = ?, error_message = ?, error_where = ''
WHERE id = ? AND status = 'blocked';

-- name: any-cascade
-- Is there an ended job whose dependents still wait for it? A transaction is begun only then.
SELECT 1 FROM orpheus.cascades LIMIT 1;

-- name: first-cascades
-- The first of them, with how they ended. They stay locked, so that none comes to depend on them
-- meanwhile; those that another has locked are left to the next transaction.
SELECT jobs.id, jobs.status FROM orpheus.cascades CROSS JOIN orpheus.jobs ON jobs.id = cascades.job_id
WHERE jobs.status IN ('done', 'failed', 'cancelled')
ORDER BY cascades.job_id LIMIT ? FOR NO KEY UPDATE OF jobs SKIP LOCKED;

-- name: first-late
-- The first jobs of applications' transactions that do not wait yet for what they depend on. Another host
-- goes on with others meanwhile. A SQLite file has some if it was moved from PostgreSQL.
SELECT jobs.id FROM orpheus.cascades CROSS JOIN orpheus.jobs ON jobs.id = cascades.job_id
WHERE jobs.status IN ('blocked', 'pending', 'in_progress')
ORDER BY cascades.job_id LIMIT ? FOR UPDATE OF cascades SKIP LOCKED;

-- name: begin-cascade
-- Some dependents of an ended job still wait for it.
INSERT INTO orpheus.cascades (job_id) VALUES (?) ON CONFLICT DO NOTHING;

-- name: end-cascade
-- None waits for it any more, or it is live again.
DELETE FROM orpheus.cascades WHERE job_id = ?;

-- name: waits-for
-- Count the jobs that a job waits for.
SELECT count(*) FROM orpheus.job_dependencies WHERE job_id = ? AND waits = 1;

-- name: failed-dependency
-- A job that must be done before this one, and that failed or was cancelled. A child need not be done.
SELECT others.id, others.status
FROM orpheus.jobs CROSS JOIN orpheus.job_dependencies ON job_dependencies.job_id = jobs.id
    CROSS JOIN orpheus.jobs AS others ON others.id = job_dependencies.depends_on
WHERE jobs.id = ? AND jobs.on_dependency_failure <> 'run' AND child IS NULL
    AND others.status IN ('failed', 'cancelled') LIMIT 1;

-- name: needed-by
-- A job that depends on this one and may still read its result, or may after a retry.
SELECT jobs.id, jobs.status FROM orpheus.job_dependencies INDEXED BY job_dependents
    CROSS JOIN orpheus.jobs ON jobs.id = job_dependencies.job_id
WHERE job_dependencies.depends_on = ? AND jobs.status <> 'done' LIMIT 1;

-- name: name-dependency
-- What a job calls one of those it waits for.
UPDATE orpheus.job_dependencies SET ref = ? WHERE job_id = ? AND depends_on = ?;

-- name: dependencies-of
-- The jobs that a job depends on, by id, with the fields of Dependency (shared/domain/jobs.py) as columns.
SELECT jobs.id, type, status, result,
    {error-column},
    ref
FROM orpheus.job_dependencies CROSS JOIN orpheus.jobs ON jobs.id = job_dependencies.depends_on
WHERE job_dependencies.job_id = ? AND child IS NULL ORDER BY jobs.id;

-- name: children-to-cancel
-- The first live children that a cancelled function has made. They stay locked. Those that others have
-- locked are left out: who ends one may wait for the function itself, and both would wait for ever.
SELECT jobs.id, jobs.status, jobs.queue, jobs.type, jobs.concurrency_key
FROM orpheus.job_dependencies CROSS JOIN orpheus.jobs ON jobs.id = job_dependencies.depends_on
WHERE job_dependencies.job_id = ? AND child = 'own' AND jobs.cancel_requested = 0
    AND jobs.status IN ('blocked', 'pending', 'in_progress')
ORDER BY jobs.id LIMIT ? FOR NO KEY UPDATE OF jobs SKIP LOCKED;

-- name: has-child-to-cancel
-- Has a cancelled function a live child that is not asked to stop?
SELECT 1
FROM orpheus.job_dependencies CROSS JOIN orpheus.jobs ON jobs.id = job_dependencies.depends_on
WHERE job_dependencies.job_id = ? AND child = 'own' AND jobs.cancel_requested = 0
    AND jobs.status IN ('blocked', 'pending', 'in_progress') LIMIT 1;

-- name: order-of-cancel
-- Of a JSON list of ids: a job, and one that waits for it and so is cancelled before it.
SELECT needed.value, jobs.id, 0
{dependents-of-listed}
WHERE jobs.status = 'blocked';

-- name: order-of-delete
-- The same for a delete: a job that may still read the result must be gone (1).
SELECT needed.value, jobs.id, 1
{dependents-of-listed}
WHERE jobs.status <> 'done';

-- name: order-of-retry
-- The same for a retry: what a job depends on is retried before it, and must be (1) unless the job
-- runs whatever becomes of it.
SELECT jobs.id, others.id,
    CASE WHEN child IS NULL AND jobs.on_dependency_failure <> 'run' THEN 1 ELSE 0 END
FROM {listed-ids} AS waiting CROSS JOIN orpheus.jobs ON jobs.id = waiting.value
    CROSS JOIN orpheus.job_dependencies ON job_dependencies.job_id = jobs.id
    CROSS JOIN orpheus.jobs AS others ON others.id = job_dependencies.depends_on
WHERE others.status IN ('failed', 'cancelled');

-- name: blocked-by-blocked
-- Blocked jobs that wait for blocked jobs and that others wait for: only these can form a circle.
SELECT jobs.id, others.id
FROM orpheus.jobs INDEXED BY jobs_by_status
    CROSS JOIN orpheus.job_dependencies ON job_dependencies.job_id = jobs.id AND job_dependencies.waits = 1
    CROSS JOIN orpheus.jobs AS others ON others.id = job_dependencies.depends_on
WHERE jobs.status = 'blocked' AND jobs.has_dependents = 1 AND others.status = 'blocked';

-- name: insert-dependencies
-- Record what the new jobs of a JSON list of ids wait for, as their rows say.
INSERT INTO orpheus.job_dependencies (job_id, depends_on)
SELECT jobs.id, needed.value
FROM {listed-ids} AS new CROSS JOIN orpheus.jobs ON jobs.id = new.value
    CROSS JOIN {listed-dependencies} AS needed ON true;

-- name: end-late
-- The jobs of `first-late` wait now. One that has ended by now stays stored for those that wait for it,
-- and so does one that another transaction has locked, as it may be ending.
DELETE FROM orpheus.cascades WHERE job_id IN (
    SELECT id FROM orpheus.jobs
    WHERE id IN (SELECT value FROM {listed-ids} AS late)
        AND status IN ('blocked', 'pending', 'in_progress') FOR NO KEY UPDATE SKIP LOCKED);

-- name: blocked-by
-- Lock the blocked jobs that depend on a job and do not wait for it.
SELECT jobs.id FROM orpheus.job_dependencies INDEXED BY job_dependents
    CROSS JOIN orpheus.jobs ON jobs.id = job_dependencies.job_id
WHERE job_dependencies.depends_on = ? AND waits = 0 AND jobs.status = 'blocked'
ORDER BY jobs.id FOR NO KEY UPDATE OF jobs;

-- name: wait-again
-- A job that had ended is retried: these blocked jobs wait for it again.
UPDATE orpheus.jobs SET waits_for = waits_for + 1
WHERE status = 'blocked' AND id IN (SELECT value FROM {listed-ids} AS blocked);

-- name: wait-for-retried
-- The same in the list of what they depend on.
UPDATE orpheus.job_dependencies SET waits = 1
WHERE depends_on = ? AND waits = 0 AND job_id IN (SELECT value FROM {listed-ids} AS blocked);

-- name: wait-for-live
-- A retried job waits for those of its dependencies that are live. They are locked.
UPDATE orpheus.job_dependencies SET waits = CASE WHEN EXISTS (
    SELECT 1 FROM orpheus.jobs
    WHERE jobs.id = job_dependencies.depends_on
        AND jobs.status IN ('blocked', 'pending', 'in_progress')) THEN 1 ELSE 0 END
WHERE job_id = ?;
