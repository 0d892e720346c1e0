-- name: expired-jobs
-- Jobs of one terminal status that ended before a time, oldest first, from a position on. A job that
-- another depends on is kept until that one is done or gone: its result may still be read, also
-- after a retry. While there are cascades, a job may have dependents and not know it yet.
SELECT id, finished_at_ms FROM orpheus.jobs INDEXED BY jobs_ended
WHERE status = ?1 AND finished_at_ms < ?2 AND (finished_at_ms, id) > (?3, ?4)
    AND (has_dependents = 0 AND NOT EXISTS (SELECT 1 FROM orpheus.cascades) OR NOT EXISTS (
        SELECT 1 FROM orpheus.job_dependencies INDEXED BY job_dependents
            CROSS JOIN orpheus.jobs AS others ON others.id = job_dependencies.job_id
        WHERE job_dependencies.depends_on = jobs.id AND others.status <> 'done'))
ORDER BY finished_at_ms, id LIMIT ?5;

-- name: lock-expired
-- Lock an expired job, so that what comes to depend on it is there for the next statement, or sees that
-- it is gone. One that was retried is kept, and one that another has locked is left to the next pass:
-- an application that makes a job depend on it may keep its transaction open for long.
SELECT id FROM orpheus.jobs WHERE id = ? AND status = ? AND finished_at_ms < ? FOR UPDATE SKIP LOCKED;

-- name: delete-log-lines
-- Delete some lines of an expired job: it may have a million.
DELETE FROM orpheus.job_logs WHERE id IN (SELECT id FROM orpheus.job_logs WHERE job_id = ? LIMIT ?);

-- name: delete-expired
-- Delete the job itself, unless a new job depends on it since it was found.
DELETE FROM orpheus.jobs WHERE id = ?1
    AND (has_dependents = 0 AND NOT EXISTS (SELECT 1 FROM orpheus.cascades) OR NOT EXISTS (
        SELECT 1 FROM orpheus.job_dependencies INDEXED BY job_dependents
            CROSS JOIN orpheus.jobs AS others ON others.id = job_dependencies.job_id
        WHERE job_dependencies.depends_on = ?1 AND others.status <> 'done'))
RETURNING queue;

-- name: delete-events
-- Delete the events up to a seq.
DELETE FROM orpheus.events WHERE seq <= ?;

-- name: expired-key
-- Is there an expired answer?
SELECT 1 FROM orpheus.idempotency_keys INDEXED BY idempotency_keys_by_age WHERE created_at_ms <= ? LIMIT 1;

-- name: delete-keys
-- Delete some expired answers, oldest first.
DELETE FROM orpheus.idempotency_keys WHERE key IN (
    SELECT key FROM orpheus.idempotency_keys INDEXED BY idempotency_keys_by_age
    WHERE created_at_ms <= ? ORDER BY created_at_ms LIMIT ?);

-- name: oldest-minute
-- The first minute that has a count of ended jobs.
SELECT min(minute) FROM orpheus.finished_per_minute;

-- name: delete-minutes
-- Delete the minutes up to one.
DELETE FROM orpheus.finished_per_minute WHERE minute <= ?;
