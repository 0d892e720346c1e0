-- name: lock-expired
-- Lock an expired job, so that what comes to depend on it is there for the next statement, or sees that
-- it is gone. One that was retried is kept, and one that another has locked is left to the next pass:
-- an application that makes a job depend on it may keep its transaction open for long.
SELECT id FROM orpheus.jobs WHERE id = ? AND status = ? AND finished_at_ms < ? FOR UPDATE SKIP LOCKED;

-- name: delete-log-lines
-- Delete some lines of an expired job: it may have a million.
DELETE FROM orpheus.job_logs WHERE id IN (SELECT id FROM orpheus.job_logs WHERE job_id = ? LIMIT ?);

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
