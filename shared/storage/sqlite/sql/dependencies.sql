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

-- name: end-late
-- The jobs of `first-late` wait now. One that has ended by now stays stored for those that wait for it.
DELETE FROM cascades WHERE job_id IN (
    SELECT id FROM jobs
    WHERE id IN (SELECT value FROM json_each(?))
        AND status IN ('blocked', 'pending', 'in_progress'));

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

-- name: lock-dependents
-- There is one writer at a time.
SELECT ?1, ?2;
