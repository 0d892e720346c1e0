-- name: append
-- Append one line of an attempt.
INSERT INTO orpheus.job_logs (job_id, attempt, at_ms, level, line, fields) VALUES (?, ?, ?, ?, ?, ?);

-- name: after
-- The next lines of a job.
SELECT id, attempt, at_ms, level, line, fields FROM orpheus.job_logs
WHERE job_id = ? AND id > ? ORDER BY id LIMIT ?;

-- name: running
-- The attempts that a worker process has leased.
SELECT id, lease_token, attempt FROM orpheus.jobs INDEXED BY jobs_leased
WHERE status = 'in_progress' AND lease_incarnation = ?;

-- name: count
-- How many lines of an attempt are stored.
SELECT count(*) FROM orpheus.job_logs WHERE job_id = ? AND attempt = ?;
