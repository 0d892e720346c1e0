-- name: append
-- Append one line of an attempt.
INSERT INTO orpheus.job_logs (job_id, attempt, at_ms, level, line, fields) VALUES (?, ?, ?, ?, ?, ?);

-- name: lock-leased
-- Is the lease still held? Nobody deletes the job before this transaction ends.
SELECT lease_token FROM orpheus.jobs WHERE id = ? AND lease_token = ? AND status = 'in_progress'
    AND lease_expires_mono_ms > ? AND lease_boot_id = ? FOR KEY SHARE;

-- name: after
-- The next lines of a job.
SELECT id, attempt, at_ms, level, line, fields FROM orpheus.job_logs
WHERE job_id = ? AND id > ? ORDER BY id LIMIT ?;

-- name: running
-- The attempts that a worker process has leased. Nobody deletes their jobs before this transaction ends.
SELECT id, lease_token, attempt FROM orpheus.jobs INDEXED BY jobs_by_status
WHERE status = 'in_progress' AND lease_incarnation = ? FOR KEY SHARE;

-- name: count
-- How many lines of an attempt are stored.
SELECT count(*) FROM orpheus.job_logs WHERE job_id = ? AND attempt = ?;
