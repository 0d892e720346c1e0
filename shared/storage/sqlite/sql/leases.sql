-- name: something-leasable
-- Is there anything to lease? Read before taking the write lock, so that an idle worker writes nothing.
SELECT EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_due WHERE status = 'pending' AND is_due = 1)
    OR EXISTS (
        SELECT 1 FROM jobs INDEXED BY jobs_scheduled
        WHERE status = 'pending' AND is_due = 0 AND run_at_ms <= ?);

-- name: promote-due
-- Make delayed jobs due; limited, so that a million of them do not hold the write lock.
UPDATE jobs SET is_due = 1
WHERE id IN (
    SELECT id FROM jobs INDEXED BY jobs_scheduled
    WHERE status = 'pending' AND is_due = 0 AND run_at_ms <= ?
    ORDER BY run_at_ms LIMIT 5000)
AND status = 'pending';

-- name: queues-with-due-jobs
-- The queues that have due jobs, with one probe of the index for each (a loose index scan).
WITH RECURSIVE found (queue) AS (
    SELECT min(queue) FROM jobs INDEXED BY jobs_due WHERE status = 'pending' AND is_due = 1
    UNION ALL
    SELECT (
        SELECT min(queue) FROM jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND queue > found.queue)
    FROM found WHERE found.queue IS NOT NULL)
SELECT queue FROM found WHERE queue IS NOT NULL;

-- name: due-jobs
-- The first due jobs of one queue, in order. INDEXED BY: the planner would sort all of them.
SELECT priority, run_at_ms, id FROM jobs INDEXED BY jobs_due
WHERE status = 'pending' AND is_due = 1 AND queue = ?
ORDER BY priority DESC, run_at_ms, id LIMIT ?;

-- name: take-tokens
-- Take the next tokens.
UPDATE lease_tokens SET last = last + ? WHERE only = 1 RETURNING last;

-- name: lease-job
-- Leaves pending for in_progress, with a new token. Returns the fields of Lease as columns.
UPDATE jobs SET status = 'in_progress', is_due = 0, attempt = attempt + 1,
    worker = ?, worker_pid = ?, started_at_ms = ?, progress = NULL, message = NULL,
    lease_token = ?, lease_incarnation = ?, lease_expires_mono_ms = ?, lease_boot_id = ?
WHERE id = ? AND status = 'pending'
RETURNING id AS job_id, lease_token AS token, attempt, type, payload, queue, timeout_s, max_retries,
    failures, crashes, started_at_ms, lease_expires_mono_ms AS expires_mono_ms, cancel_requested;

-- name: record-success
-- Record the attempt that succeeded, if its token is the job's and the lease has not expired.
INSERT INTO attempts (
    job_id, number, outcome, worker, pid, started_at_ms, finished_at_ms, lease_token)
SELECT id, attempt, 'succeeded', worker, worker_pid, started_at_ms, ?, lease_token FROM jobs
WHERE id = ? AND lease_token = ? AND status = 'in_progress'
    AND lease_expires_mono_ms > ? AND lease_boot_id = ?
RETURNING job_id;

-- name: complete-job
-- Leaves in_progress for done, if the token is the job's.
UPDATE jobs SET status = 'done', result = ?, finished_at_ms = ?,
    error_type = NULL, error_message = NULL, error_traceback = NULL,
    lease_incarnation = NULL, lease_expires_mono_ms = NULL, lease_boot_id = NULL
WHERE id = ? AND lease_token = ? AND status = 'in_progress'
RETURNING id, has_dependents, run_at_ms, started_at_ms;

-- name: held-lease
-- Read what a job has spent, if the lease is still held; no row: the lease is lost.
SELECT queue, failures, crashes, max_retries, cancel_requested, has_dependents, run_at_ms,
    started_at_ms
FROM jobs WHERE id = ? AND lease_token = ? AND status = 'in_progress'
    AND lease_expires_mono_ms > ? AND lease_boot_id = ?;

-- name: record-attempt
-- Record an attempt that ended otherwise, with its outcome and error.
INSERT INTO attempts (
    job_id, number, outcome, worker, pid, started_at_ms, finished_at_ms,
    error_type, error_message, error_traceback, lease_token)
SELECT id, attempt, ?, worker, worker_pid, started_at_ms, ?, ?, ?, ?, lease_token FROM jobs
WHERE id = ? AND lease_token = ? AND status = 'in_progress';

-- name: end-lease
-- Leaves in_progress for the status that shared.lifecycle.after chose; an error given replaces the
-- job's, none keeps it.
UPDATE jobs SET status = ?1, is_due = ?2, run_at_ms = coalesce(?3, run_at_ms), finished_at_ms = ?4,
    failures = ?5, crashes = ?6,
    error_type = coalesce(?7, error_type), error_message = coalesce(?8, error_message),
    error_traceback = CASE WHEN ?7 IS NULL THEN error_traceback ELSE ?9 END,
    lease_incarnation = NULL, lease_expires_mono_ms = NULL, lease_boot_id = NULL
WHERE id = ?10 AND lease_token = ?11 AND status = 'in_progress';

-- name: forget-attempt
-- A job that was not entered leaves no attempt: its number is used again.
UPDATE jobs SET attempt = attempt - 1,
    (worker, worker_pid, started_at_ms) = (
        SELECT worker, pid, started_at_ms FROM attempts
        WHERE job_id = jobs.id AND number = jobs.attempt - 1)
WHERE id = ? AND lease_token = ?;

-- name: renew-lease
-- Stays in_progress: extends the lease, if the token is the job's and the lease has not expired.
UPDATE jobs SET lease_expires_mono_ms = ?
WHERE id = ? AND lease_token = ? AND status = 'in_progress'
    AND lease_expires_mono_ms > ? AND lease_boot_id = ?
RETURNING lease_token;

-- name: save-progress
-- Store the progress of the running attempt, if the lease is still held.
UPDATE jobs SET progress = ?, message = ?
WHERE id = ? AND lease_token = ? AND status = 'in_progress'
    AND lease_expires_mono_ms > ? AND lease_boot_id = ?;

-- name: cancel-requested
-- Was the cancel of this running job requested?
SELECT 1 FROM jobs WHERE id = ? AND lease_token = ? AND cancel_requested = 1;

-- name: leases-of
-- The leases of one worker process, in the order in which it enters them.
SELECT id, lease_token FROM jobs INDEXED BY jobs_leased
WHERE status = 'in_progress' AND lease_incarnation = ? ORDER BY lease_token;

-- name: expired-leases
-- Leases of this boot that have expired.
SELECT id, lease_token FROM jobs INDEXED BY jobs_leased
WHERE status = 'in_progress' AND lease_boot_id = ? AND lease_expires_mono_ms <= ?
ORDER BY lease_token;

-- name: leases-of-other-boots
-- Leases that a reboot has voided.
SELECT id, lease_token FROM jobs INDEXED BY jobs_leased
WHERE status = 'in_progress' AND lease_boot_id <> ? ORDER BY lease_token;

-- name: spent
-- Read what a leased job has spent, whether or not its lease has expired.
SELECT queue, failures, crashes, max_retries, cancel_requested, has_dependents, run_at_ms,
    started_at_ms
FROM jobs WHERE id = ? AND lease_token = ? AND status = 'in_progress';

-- name: next-due
-- When the earliest delayed job is due.
SELECT run_at_ms FROM jobs INDEXED BY jobs_scheduled
WHERE status = 'pending' AND is_due = 0 ORDER BY run_at_ms LIMIT 1;
