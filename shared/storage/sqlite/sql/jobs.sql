-- name: insert-job
-- A new job, pending. Due at once unless it was given a time or a delay.
INSERT INTO jobs (
    type, payload, status, queue, priority, is_due, max_retries, timeout_s,
    created_at_ms, run_at_ms, unique_key, tags)
VALUES (?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert-tag
-- Make the job findable by a tag.
INSERT OR IGNORE INTO job_tags (tag, job_id) VALUES (?, ?);

-- name: live-by-unique-key
-- The live job that holds a unique key.
SELECT id FROM jobs INDEXED BY jobs_unique_key
WHERE unique_key = ? AND status IN ('blocked', 'pending', 'in_progress');

-- name: select-jobs
-- Jobs with every column of shared.jobs.Job; a WHERE or JOIN follows.
SELECT jobs.id, type, payload, status, queue, priority, result,
    error_type, error_message, error_traceback, attempt, max_retries, timeout_s,
    progress, message, created_at_ms, run_at_ms, started_at_ms, finished_at_ms,
    worker, unique_key, tags, cancel_requested
FROM jobs

-- name: select-attempts
-- The attempts of a job that have ended, oldest first.
SELECT number, outcome, worker, pid, started_at_ms, finished_at_ms,
    error_type, error_message, error_traceback
FROM attempts WHERE job_id = ? ORDER BY number;

-- name: select-running-attempt
-- The attempt of a job that is running: it lives in the job's row.
SELECT attempt, NULL, worker, worker_pid, started_at_ms, NULL, NULL, NULL, NULL
FROM jobs WHERE id = ? AND status = 'in_progress';

-- name: cancel-waiting
-- Leaves blocked or pending for cancelled.
UPDATE jobs SET status = 'cancelled', is_due = 0, cancel_requested = 1, finished_at_ms = ?
WHERE id = ? AND status IN ('blocked', 'pending')
RETURNING queue;

-- name: request-cancel
-- Stays in_progress: the worker sees the flag.
UPDATE jobs SET cancel_requested = 1
WHERE id = ? AND status = 'in_progress' AND cancel_requested = 0;

-- name: retry-job
-- Leaves failed or cancelled for pending, with all its retries again; attempts keep their numbers.
UPDATE jobs SET status = 'pending', is_due = 1, failures = 0, crashes = 0, cancel_requested = 0,
    run_at_ms = ?, finished_at_ms = NULL, progress = NULL, message = NULL
WHERE id = ? AND status IN ('failed', 'cancelled')
RETURNING queue;

-- name: newest-ids
-- Where the newest N jobs begin: text search and inexact totals look no further.
SELECT id FROM jobs ORDER BY id DESC LIMIT 1 OFFSET ?;
