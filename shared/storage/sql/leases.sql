-- name: something-leasable
-- Is there anything to lease? Read before a transaction begins, so that an idle worker writes nothing.
-- 0: no; 1: yes; 2: yes, unless every due job is in a paused queue. And the quarantined types, and which
-- versions of types jobs wait for.
SELECT CASE
    WHEN EXISTS (
        SELECT 1 FROM orpheus.jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0)
        AND NOT EXISTS (SELECT 1 FROM orpheus.queues WHERE coalesce(paused, paused_by_config) = 1)
    THEN 1
    WHEN EXISTS (
        SELECT 1 FROM orpheus.jobs INDEXED BY jobs_scheduled
        WHERE status = 'pending' AND is_due = 0 AND run_at_ms <= ?1)
    OR EXISTS (
        SELECT 1 FROM orpheus.key_rates INDEXED BY key_rates_waiting
        WHERE opens_mono_ms IS NOT NULL AND boot_id = ?2 AND opens_mono_ms <= ?3)
    OR EXISTS (
        SELECT 1 FROM orpheus.key_rates INDEXED BY key_rates_waiting
        WHERE opens_mono_ms IS NOT NULL AND boot_id < ?2)
    OR EXISTS (
        SELECT 1 FROM orpheus.key_rates INDEXED BY key_rates_waiting
        WHERE opens_mono_ms IS NOT NULL AND boot_id > ?2)
    THEN 1
    WHEN EXISTS (
        SELECT 1 FROM orpheus.jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0)
    THEN 2
    ELSE 0
END, (
        SELECT string_agg(type, ' ') FROM orpheus.quarantines WHERE released_ms IS NULL), (
        SELECT string_agg(type || ' ' || versions, ',') FROM orpheus.awaited_versions);

-- name: paused
-- The paused queues.
SELECT name FROM orpheus.queues WHERE coalesce(paused, paused_by_config) = 1;

-- name: promote-due
-- Make delayed jobs due; limited, so that a million of them do not make one long transaction. What
-- another host has locked it is making due itself.
UPDATE orpheus.jobs SET is_due = 1
WHERE id IN (
    SELECT id FROM orpheus.jobs INDEXED BY jobs_scheduled
    WHERE status = 'pending' AND is_due = 0 AND run_at_ms <= ?
    ORDER BY run_at_ms LIMIT 5000 FOR NO KEY UPDATE SKIP LOCKED)
AND status = 'pending';

-- part: due-columns
-- The first fields of DueJob (shared/storage/verbs/due_jobs.py): what the order is made of, and the
-- fields of Lease that are known before.
-priority AS minus_priority, run_at_ms, id AS job_id, attempt + 1 AS attempt, type,
    CASE WHEN payload <> '' THEN payload ELSE (
        SELECT payload FROM orpheus.large_payloads WHERE job_id = jobs.id) END AS payload,
    queue, timeout_s, max_retries, failures, crashes, cancel_requested, traceparent,
    concurrency_key, versions, scheduled_ms, expires_ms

-- name: due-of-one
-- Some due jobs of one queue, behind a priority, time and id, in the columns of `due-of-all`. With
-- an OFFSET, jobs that are unparked meanwhile would make others come twice.
SELECT {due-columns}, CAST(NULL AS bigint) AS token, CAST(NULL AS bigint) AS delayed_ms,
    CAST(NULL AS text) AS held, CAST(NULL AS text) AS awaited
FROM orpheus.jobs INDEXED BY jobs_due
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = ?1 AND priority <= ?2
    AND (priority < ?2 OR run_at_ms > ?3 OR (run_at_ms = ?3 AND id > ?4))
ORDER BY priority DESC, run_at_ms, id LIMIT ?5 FOR NO KEY UPDATE SKIP LOCKED;

-- name: due-job
-- One due job, in the same columns, unless another host has taken it since its head was read.
SELECT {due-columns}, CAST(NULL AS bigint) AS token, CAST(NULL AS bigint) AS delayed_ms,
    CAST(NULL AS text) AS held, CAST(NULL AS text) AS awaited
FROM orpheus.jobs WHERE id = ? AND status = 'pending' AND is_due = 1 AND is_parked = 0
FOR NO KEY UPDATE SKIP LOCKED;

-- part: head-columns
-- The fields of Head (shared/storage/verbs/due_jobs.py).
-priority AS minus_priority, run_at_ms, id AS job_id, queue, concurrency_key, type, versions

-- name: heads-of-all
-- The first due jobs of all queues, in order, without what may be large.
SELECT {head-columns} FROM orpheus.jobs INDEXED BY jobs_due_of_all
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
ORDER BY priority DESC, run_at_ms, id LIMIT ?;

-- name: head-of-next
-- The first due job of the next queue by name that has one: one probe of the index.
SELECT {head-columns} FROM orpheus.jobs INDEXED BY jobs_due
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue > ?
ORDER BY queue, priority DESC, run_at_ms, id LIMIT 1;

-- name: head-of-one
-- The first due job of one queue.
SELECT {head-columns} FROM orpheus.jobs INDEXED BY jobs_due
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = ?
ORDER BY priority DESC, run_at_ms, id LIMIT 1;

-- part: spent-columns
-- The fields of LeasedJob (shared/storage/verbs/ended_leases.py).
jobs.id, queue, concurrency_key, failures, crashes, losses, max_retries, attempt,
    cancel_requested, has_dependents, run_at_ms, freed_at_ms, started_at_ms, type, lease_token

-- name: is-leased
-- Is the lease still held? The row is not locked.
SELECT lease_token FROM orpheus.jobs WHERE id = ? AND lease_token = ? AND status = 'in_progress'
    AND lease_expires_mono_ms > ? AND lease_boot_id = ?;

-- name: ended-with
-- Has the attempt of this lease ended with this outcome already?
SELECT lease_token FROM orpheus.attempts WHERE job_id = ? AND lease_token = ? AND outcome = ?;

-- name: record-attempt
-- Record an attempt that ended otherwise, with its outcome, start, end, error, costs, and whether it spent
-- a retry.
INSERT INTO orpheus.ended_attempts (
    job_id, number, outcome, worker, pid, started_at_ms, finished_at_ms,
    error_type, error_message, error_traceback, cpu_s, max_rss_bytes, spent_retry, lease_token)
SELECT id, attempt, ?, worker, worker_pid, ?, ?, ?, ?, ?, ?, ?, ?, lease_token FROM orpheus.jobs
WHERE id = ? AND lease_token = ? AND status = 'in_progress';

-- name: forget-old-attempts
-- Delete some of the oldest attempts of a job, up to a number.
DELETE FROM orpheus.ended_attempts WHERE job_id = ?1 AND number IN (
    SELECT number FROM orpheus.ended_attempts WHERE job_id = ?1 AND number <= ?2
    ORDER BY number LIMIT ?3);

-- name: forget-old-lines
-- Delete a job's oldest lines up to the first of a later attempt. It reads no more lines than that.
DELETE FROM orpheus.job_logs WHERE id IN (
    SELECT id FROM orpheus.job_logs
    WHERE job_id = ?1 AND id < coalesce((
        SELECT id FROM (
            SELECT id, attempt FROM orpheus.job_logs WHERE job_id = ?1 ORDER BY id LIMIT ?3) AS oldest
        WHERE attempt > ?2 ORDER BY id LIMIT 1), 9223372036854775807)
    ORDER BY id LIMIT ?3);

-- name: end-lease
-- Leaves in_progress for the status that `after` (shared/domain/lifecycle.py) chose; an error given
-- replaces that of the job, none keeps it.
UPDATE orpheus.jobs SET status = ?1, is_due = ?2, run_at_ms = coalesce(?3, run_at_ms), finished_at_ms = ?4,
    failures = ?5, crashes = ?6, losses = ?7,
    error_type = coalesce(?8, error_type), error_message = coalesce(?9, error_message),
    error_traceback = CASE WHEN ?8 IS NULL THEN error_traceback ELSE ?10 END,
    error_where = CASE WHEN ?8 IS NULL THEN error_where ELSE ?13 END, started_at_ms = ?14,
    freed_at_ms = coalesce(?15, freed_at_ms), waits_for = ?16,
    lease_incarnation = NULL, lease_expires_mono_ms = NULL, lease_boot_id = NULL
WHERE id = ?11 AND lease_token = ?12 AND status = 'in_progress';

-- name: last-line
-- When a job wrote its last line.
SELECT at_ms FROM orpheus.job_logs WHERE job_id = ? ORDER BY id DESC LIMIT 1;

-- name: forget-attempt
-- A job that was not entered leaves no attempt: its number is used again. One that is cancelled has
-- not started.
UPDATE orpheus.jobs SET attempt = attempt - 1,
    (worker, worker_pid, started_at_ms) = (
        SELECT worker, pid, CASE jobs.status WHEN 'pending' THEN started_at_ms END
        FROM orpheus.ended_attempts
        WHERE job_id = jobs.id AND number = jobs.attempt - 1)
WHERE id = ? AND lease_token = ?;

-- name: save-progress
-- Store the progress of the running attempt, if the lease is still held.
UPDATE orpheus.jobs SET progress = ?, message = ?
WHERE id = ? AND lease_token = ? AND status = 'in_progress'
    AND lease_expires_mono_ms > ? AND lease_boot_id = ?;

-- name: leases-of
-- The leases of one worker process, in the order in which it enters them.
SELECT id, lease_token, cancel_requested FROM orpheus.jobs INDEXED BY jobs_by_status
WHERE status = 'in_progress' AND lease_incarnation = ? ORDER BY lease_token;

-- name: any-expired
-- Has a lease of this boot expired? A transaction is begun only then.
SELECT 1 FROM orpheus.jobs INDEXED BY jobs_by_status
WHERE status = 'in_progress' AND lease_boot_id = ? AND lease_expires_mono_ms <= ? LIMIT 1;

-- name: expired-leases
-- Leases of this boot that have expired. They stay locked, so that none is renewed before it is ended;
-- those that another has locked may just be renewed, and are left to the next time.
SELECT id, lease_token, lease_incarnation FROM orpheus.jobs INDEXED BY jobs_by_status
WHERE status = 'in_progress' AND lease_boot_id = ? AND lease_expires_mono_ms <= ?
ORDER BY lease_token FOR NO KEY UPDATE SKIP LOCKED;

-- name: leases-of-other-boots
-- Leases that a reboot has voided.
SELECT id, lease_token, lease_incarnation, lease_boot_id FROM orpheus.jobs INDEXED BY jobs_by_status
WHERE status = 'in_progress' AND lease_boot_id <> ? ORDER BY lease_token;

-- name: spent
-- Read what a leased job has spent, whether or not its lease has expired, and lock it.
SELECT {spent-columns} FROM orpheus.jobs WHERE id = ? AND lease_token = ? AND status = 'in_progress'
FOR NO KEY UPDATE;

-- name: next-due
-- When the earliest delayed job is due.
SELECT run_at_ms FROM orpheus.jobs INDEXED BY jobs_scheduled
WHERE status = 'pending' AND is_due = 0 ORDER BY run_at_ms LIMIT 1;
