-- part: is-free
-- No other job needs this one. A job that another depends on is kept until that one is done or gone: its
-- result may still be read, also after a retry. While there are cascades, a job may have dependents and not
-- know it yet.
(has_dependents = 0 AND NOT EXISTS (SELECT 1 FROM orpheus.cascades) OR NOT EXISTS (
        SELECT 1 FROM orpheus.job_dependencies INDEXED BY job_dependents
            CROSS JOIN orpheus.jobs AS others ON others.id = job_dependencies.job_id
        WHERE job_dependencies.depends_on = jobs.id AND others.status <> 'done'))

-- part: has-no-time-left
-- Its unique key is free: only jobs with `unique_for` keep theirs after their end.
(unique_until_ms IS NULL OR unique_until_ms <= ?1)

-- part: bytes-beside-row
-- The bytes that a job takes beside its row.
octet_length(coalesce(result, '')) + coalesce((
        SELECT octet_length(payload) FROM orpheus.large_payloads WHERE job_id = jobs.id), 0)

-- name: expired-jobs
-- Jobs of one terminal status that ended before a time, oldest first, from a position on: the bytes that
-- each takes beside its row, and whether it is still needed.
SELECT id, finished_at_ms, {bytes-beside-row}, NOT ({is-free} AND {has-no-time-left})
FROM orpheus.jobs INDEXED BY jobs_ended
WHERE status = ?2 AND finished_at_ms < ?3 AND (finished_at_ms, id) > (?4, ?5)
    AND (status <> 'done' OR retention_ms IS NULL)
ORDER BY finished_at_ms, id LIMIT ?6;

-- name: expired-with-retention
-- Done jobs whose own retention is over, in the same columns.
SELECT id, finished_at_ms + retention_ms, {bytes-beside-row},
    NOT ({is-free} AND {has-no-time-left})
FROM orpheus.jobs INDEXED BY jobs_done_with_retention
WHERE status = ?2 AND status = 'done' AND retention_ms IS NOT NULL
    AND finished_at_ms + retention_ms < ?3 AND (finished_at_ms + retention_ms, id) > (?4, ?5)
ORDER BY finished_at_ms + retention_ms, id LIMIT ?6;

-- name: lock-expired
-- Lock the expired jobs of a JSON list, so that what comes to depend on one is there for the next
-- statement, or sees that it is gone. One that was retried is kept, and one that another has locked is left
-- to the next pass: an application that makes a job depend on it may keep its transaction open for long.
SELECT jobs.id FROM {listed-ids} AS wanted CROSS JOIN orpheus.jobs ON jobs.id = wanted.value
WHERE jobs.status = ? AND jobs.finished_at_ms
    + CASE jobs.status WHEN 'done' THEN coalesce(jobs.retention_ms, 0) ELSE 0 END < ?
ORDER BY jobs.id FOR UPDATE OF jobs SKIP LOCKED;

-- name: delete-log-lines
-- Delete some lines of expired jobs: one may have a million.
DELETE FROM orpheus.job_logs WHERE id IN (
    SELECT id FROM orpheus.job_logs
    WHERE job_id IN (SELECT value FROM {listed-ids} AS expired) LIMIT ?);

-- name: delete-expired
-- Delete the jobs themselves, except those that a new job has come to depend on since they were found.
DELETE FROM orpheus.jobs WHERE id IN (SELECT value FROM {listed-ids} AS expired)
    AND {is-free}
RETURNING queue;

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
