-- name: something-leasable
-- Is there anything to lease? Read before taking the write lock, so that an idle worker writes nothing.
-- 0: no; 1: yes; 2: yes, unless every due job is in a paused queue. And the quarantined types.
SELECT CASE
    WHEN EXISTS (
        SELECT 1 FROM jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0)
        AND NOT EXISTS (SELECT 1 FROM queues WHERE coalesce(paused, paused_by_config) = 1)
    THEN 1
    WHEN EXISTS (
        SELECT 1 FROM jobs INDEXED BY jobs_scheduled
        WHERE status = 'pending' AND is_due = 0 AND run_at_ms <= ?1)
    OR EXISTS (
        SELECT 1 FROM key_rates INDEXED BY key_rates_waiting
        WHERE opens_mono_ms IS NOT NULL AND boot_id = ?2 AND opens_mono_ms <= ?3)
    OR EXISTS (
        SELECT 1 FROM key_rates INDEXED BY key_rates_waiting
        WHERE opens_mono_ms IS NOT NULL AND boot_id < ?2)
    OR EXISTS (
        SELECT 1 FROM key_rates INDEXED BY key_rates_waiting
        WHERE opens_mono_ms IS NOT NULL AND boot_id > ?2)
    THEN 1
    WHEN EXISTS (
        SELECT 1 FROM jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0)
    THEN 2
    ELSE 0
END, (
        SELECT group_concat(type, ' ') FROM quarantines WHERE released_ms IS NULL);

-- name: paused
-- The paused queues.
SELECT name FROM queues WHERE coalesce(paused, paused_by_config) = 1;

-- name: promote-due
-- Make delayed jobs due; limited, so that a million of them do not hold the write lock.
UPDATE jobs SET is_due = 1
WHERE id IN (
    SELECT id FROM jobs INDEXED BY jobs_scheduled
    WHERE status = 'pending' AND is_due = 0 AND run_at_ms <= ?
    ORDER BY run_at_ms LIMIT 5000)
AND status = 'pending';

-- part: due-columns
-- The first fields of DueJob (shared/storage/verbs/due_jobs.py): what the order is made of, and the
-- fields of Lease that are known before.
-priority AS minus_priority, run_at_ms, id AS job_id, attempt + 1 AS attempt, type,
    iif(payload <> '', payload, (
        SELECT payload FROM large_payloads WHERE job_id = jobs.id)) AS payload,
    queue, timeout_s, max_retries, failures, crashes, cancel_requested, traceparent,
    concurrency_key

-- name: due-of-all
-- The first due jobs of all queues, in order: what the order is made of, and the fields of Lease that
-- are known before; when the next delayed job is due, and which types are quarantined.
-- None, if a queue is paused or limited.
-- INDEXED BY: the planner would sort all of them.
SELECT {due-columns}, NULL AS token, (
        SELECT run_at_ms FROM jobs INDEXED BY jobs_scheduled
        WHERE status = 'pending' AND is_due = 0 ORDER BY run_at_ms LIMIT 1) AS delayed_ms, (
        SELECT group_concat(type, ' ') FROM quarantines WHERE released_ms IS NULL) AS held
FROM jobs INDEXED BY jobs_due_of_all
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
    AND NOT EXISTS (
        SELECT 1 FROM queues
        WHERE coalesce(paused, paused_by_config) = 1 OR max_running > 0 OR rate_starts > 0
            OR max_running_per_key > 0 OR key_rate_starts > 0)
ORDER BY priority DESC, run_at_ms, id LIMIT ?;

-- name: due-of-one
-- Some due jobs of one queue, behind a priority, time and id, in the same columns. With an OFFSET,
-- jobs that are unparked meanwhile would make others come twice.
SELECT {due-columns}, NULL AS token, NULL AS delayed_ms, NULL AS held
FROM jobs INDEXED BY jobs_due
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = ?1 AND priority <= ?2
    AND (priority < ?2 OR run_at_ms > ?3 OR (run_at_ms = ?3 AND id > ?4))
ORDER BY priority DESC, run_at_ms, id LIMIT ?5;

-- name: due-job
-- One due job, in the same columns.
SELECT {due-columns}, NULL AS token, NULL AS delayed_ms, NULL AS held
FROM jobs WHERE id = ?;

-- part: head-columns
-- The fields of Head (shared/storage/verbs/due_jobs.py).
-priority AS minus_priority, run_at_ms, id AS job_id, queue, concurrency_key, type

-- name: heads-of-all
-- The first due jobs of all queues, in order, without what may be large.
SELECT {head-columns} FROM jobs INDEXED BY jobs_due_of_all
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
ORDER BY priority DESC, run_at_ms, id LIMIT ?;

-- name: head-of-next
-- The first due job of the next queue by name that has one: one probe of the index.
SELECT {head-columns} FROM jobs INDEXED BY jobs_due
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue > ?
ORDER BY queue, priority DESC, run_at_ms, id LIMIT 1;

-- name: head-of-one
-- The first due job of one queue.
SELECT {head-columns} FROM jobs INDEXED BY jobs_due
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = ?
ORDER BY priority DESC, run_at_ms, id LIMIT 1;

-- name: last-token
-- The newest token that was given out.
SELECT last FROM lease_tokens;

-- name: take-tokens
-- Take the next tokens. RETURNING would make a temporary table for its row.
UPDATE lease_tokens SET last = last + ? WHERE only = 1;

-- name: lease-job
-- Leaves pending for in_progress, with a new token.
UPDATE jobs SET status = 'in_progress', is_due = 0, attempt = attempt + 1,
    worker = ?, worker_pid = ?, started_at_ms = ?, progress = NULL, message = NULL,
    lease_token = ?, lease_incarnation = ?, lease_expires_mono_ms = ?, lease_boot_id = ?
WHERE id = ? AND status = 'pending';

-- name: complete-job
-- Leaves in_progress for done, if the token is the job's and the lease has not expired. The attempt
-- stays in the job's row.
UPDATE jobs SET status = 'done', result = ?, started_at_ms = ?, finished_at_ms = ?,
    error_type = NULL, error_message = NULL, error_traceback = NULL, cpu_s = ?, max_rss_bytes = ?,
    lease_incarnation = NULL, lease_expires_mono_ms = NULL, lease_boot_id = NULL
WHERE id = ? AND lease_token = ? AND status = 'in_progress'
    AND lease_expires_mono_ms > ? AND lease_boot_id = ?;

-- part: spent-columns
-- The fields of LeasedJob (shared/storage/verbs/ended_leases.py).
id, queue, concurrency_key, failures, crashes, losses, max_retries, attempt,
    cancel_requested, has_dependents, run_at_ms, freed_at_ms, started_at_ms, type, lease_token

-- name: held-lease
-- Read what a job has spent, if the lease is still held; no row: the lease is lost.
SELECT {spent-columns} FROM jobs WHERE id = ? AND lease_token = ? AND status = 'in_progress'
    AND lease_expires_mono_ms > ? AND lease_boot_id = ?;

-- name: ended-with
-- Has the attempt of this lease ended with this outcome already?
SELECT lease_token FROM attempts WHERE job_id = ? AND lease_token = ? AND outcome = ?;

-- name: record-attempt
-- Record an attempt that ended otherwise, with its outcome, start, end and error.
INSERT INTO ended_attempts (
    job_id, number, outcome, worker, pid, started_at_ms, finished_at_ms,
    error_type, error_message, error_traceback, cpu_s, max_rss_bytes, lease_token)
SELECT id, attempt, ?, worker, worker_pid, ?, ?, ?, ?, ?, ?, ?, lease_token FROM jobs
WHERE id = ? AND lease_token = ? AND status = 'in_progress';

-- name: forget-old-attempts
-- Delete some of the oldest attempts of a job, up to a number.
DELETE FROM ended_attempts WHERE job_id = ?1 AND number IN (
    SELECT number FROM ended_attempts WHERE job_id = ?1 AND number <= ?2
    ORDER BY number LIMIT ?3);

-- name: forget-old-lines
-- Delete a job's oldest lines up to the first of a later attempt. It reads no more lines than that.
DELETE FROM job_logs WHERE id IN (
    SELECT id FROM job_logs
    WHERE job_id = ?1 AND id < coalesce((
        SELECT id FROM (
            SELECT id, attempt FROM job_logs WHERE job_id = ?1 ORDER BY id LIMIT ?3) AS oldest
        WHERE attempt > ?2 ORDER BY id LIMIT 1), 9223372036854775807)
    ORDER BY id LIMIT ?3);

-- name: end-lease
-- Leaves in_progress for the status that `after` (shared/domain/lifecycle.py) chose; an error given
-- replaces that of the job, none keeps it.
UPDATE jobs SET status = ?1, is_due = ?2, run_at_ms = coalesce(?3, run_at_ms), finished_at_ms = ?4,
    failures = ?5, crashes = ?6, losses = ?7,
    error_type = coalesce(?8, error_type), error_message = coalesce(?9, error_message),
    error_traceback = CASE WHEN ?8 IS NULL THEN error_traceback ELSE ?10 END,
    error_where = CASE WHEN ?8 IS NULL THEN error_where ELSE ?13 END, started_at_ms = ?14,
    freed_at_ms = coalesce(?15, freed_at_ms),
    lease_incarnation = NULL, lease_expires_mono_ms = NULL, lease_boot_id = NULL
WHERE id = ?11 AND lease_token = ?12 AND status = 'in_progress';

-- name: last-line
-- When a job wrote its last line.
SELECT at_ms FROM job_logs WHERE job_id = ? ORDER BY id DESC LIMIT 1;

-- name: forget-attempt
-- A job that was not entered leaves no attempt: its number is used again. One that is cancelled has
-- not started.
UPDATE jobs SET attempt = attempt - 1,
    (worker, worker_pid, started_at_ms) = (
        SELECT worker, pid, CASE jobs.status WHEN 'pending' THEN started_at_ms END
        FROM ended_attempts
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
SELECT id FROM jobs WHERE id = ? AND lease_token = ? AND cancel_requested = 1;

-- name: leases-of
-- The leases of one worker process, in the order in which it enters them.
SELECT id, lease_token, cancel_requested FROM jobs INDEXED BY jobs_leased
WHERE status = 'in_progress' AND lease_incarnation = ? ORDER BY lease_token;

-- name: any-expired
-- Has a lease of this boot expired? The write lock is taken only then.
SELECT 1 FROM jobs INDEXED BY jobs_leased
WHERE status = 'in_progress' AND lease_boot_id = ? AND lease_expires_mono_ms <= ? LIMIT 1;

-- name: expired-leases
-- Leases of this boot that have expired.
SELECT id, lease_token, lease_incarnation FROM jobs INDEXED BY jobs_leased
WHERE status = 'in_progress' AND lease_boot_id = ? AND lease_expires_mono_ms <= ?
ORDER BY lease_token;

-- name: leases-of-other-boots
-- Leases that a reboot has voided.
SELECT id, lease_token, lease_incarnation, lease_boot_id FROM jobs INDEXED BY jobs_leased
WHERE status = 'in_progress' AND lease_boot_id <> ? ORDER BY lease_token;

-- name: spent
-- Read what a leased job has spent, whether or not its lease has expired.
SELECT {spent-columns} FROM jobs WHERE id = ? AND lease_token = ? AND status = 'in_progress';

-- name: next-due
-- When the earliest delayed job is due.
SELECT run_at_ms FROM jobs INDEXED BY jobs_scheduled
WHERE status = 'pending' AND is_due = 0 ORDER BY run_at_ms LIMIT 1;
