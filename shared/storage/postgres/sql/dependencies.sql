-- name: insert-dependencies
-- Record what the new jobs of a JSON list of ids wait for, as their rows tell.
INSERT INTO orpheus.job_dependencies (job_id, depends_on)
SELECT jobs.id, one::bigint
FROM json_array_elements_text(?::json) AS new JOIN orpheus.jobs ON jobs.id = new::bigint
    CROSS JOIN LATERAL json_array_elements_text(jobs.depends_on::json) AS one;

-- name: mark-dependents
-- Mark the jobs that these new jobs wait for, so that their dependents are looked up when they end.
-- All are locked, also those that are marked: whoever ends one looks before or after this, not between.
WITH held AS MATERIALIZED (
    SELECT id FROM orpheus.jobs
    WHERE id IN (
        SELECT depends_on FROM orpheus.job_dependencies
        WHERE job_id IN (SELECT one::bigint FROM json_array_elements_text(?::json) AS one))
    ORDER BY id FOR NO KEY UPDATE)
UPDATE orpheus.jobs SET has_dependents = 1
FROM held WHERE jobs.id = held.id AND jobs.has_dependents = 0;

-- name: lock-dependents
-- Lock the first jobs that wait for those of a JSON list of ids.
SELECT id FROM orpheus.jobs
WHERE id IN (
    SELECT first.job_id
    FROM json_array_elements_text(?1::json) AS ended CROSS JOIN LATERAL (
        SELECT job_id FROM orpheus.job_dependencies
        WHERE depends_on = ended::bigint AND waits = 1 ORDER BY job_id LIMIT ?2) AS first)
ORDER BY id LIMIT ?2 FOR NO KEY UPDATE;

-- name: end-late
-- The jobs of `first-late` wait now. One that has ended by now stays stored for those that wait for it,
-- and so does one that another has locked, as it may be ending.
WITH live AS MATERIALIZED (
    SELECT id FROM orpheus.jobs
    WHERE id IN (SELECT one::bigint FROM json_array_elements_text(?::json) AS one)
        AND status IN ('blocked', 'pending', 'in_progress')
    FOR NO KEY UPDATE SKIP LOCKED)
DELETE FROM orpheus.cascades USING live WHERE job_id = live.id;

-- name: wait-again
-- A job that had ended is retried: the blocked jobs that depend on it wait for it again. The list of
-- what they depend on says the same of just these jobs, whatever else becomes blocked meanwhile.
WITH blocked AS (
    UPDATE orpheus.jobs SET waits_for = waits_for + 1
    WHERE status = 'blocked'
        AND id IN (SELECT job_id FROM orpheus.job_dependencies WHERE depends_on = ?1 AND waits = 0)
    RETURNING id)
UPDATE orpheus.job_dependencies SET waits = 1
FROM blocked WHERE job_id = blocked.id AND depends_on = ?1 AND waits = 0;

-- name: wait-for-retried
-- Done by wait-again.
SELECT ?::bigint;

-- name: wait-for-live
-- A retried job waits for those of its dependencies that are live. They stay locked, so that none ends
-- before it sees this.
WITH held AS MATERIALIZED (
    SELECT id, status FROM orpheus.jobs
    WHERE id IN (SELECT depends_on FROM orpheus.job_dependencies WHERE job_id = ?1)
    ORDER BY id FOR NO KEY UPDATE)
UPDATE orpheus.job_dependencies SET waits = (EXISTS (
    SELECT FROM held
    WHERE held.id = depends_on AND held.status IN ('blocked', 'pending', 'in_progress')))::integer
WHERE job_id = ?1;
