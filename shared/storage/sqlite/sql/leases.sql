-- name: due-of-all
-- The first due jobs of all queues, in the order of leasing.
-- Returns no rows if any queue is paused or limited.
-- The first columns are the order, and the fields of Lease that are known before the lease. Then:
--   delayed_ms: when the next delayed job is due.
--   held: the quarantined types.
--   awaited: the versions of types that jobs wait for.
-- INDEXED BY: the planner would sort all of them.
SELECT {due-columns}, NULL AS token, (
        SELECT run_at_ms FROM jobs INDEXED BY jobs_scheduled
        WHERE status = 'pending' AND is_due = 0 ORDER BY run_at_ms LIMIT 1) AS delayed_ms, (
        SELECT string_agg(type, ' ') FROM quarantines WHERE released_ms IS NULL) AS held, (
        SELECT string_agg(type || ' ' || versions, ',') FROM awaited_versions) AS awaited
FROM jobs INDEXED BY jobs_due_of_all
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
    AND NOT EXISTS (
        SELECT 1 FROM queues
        WHERE coalesce(paused, paused_by_config) = 1 OR max_running > 0 OR rate_starts > 0
            OR max_running_per_key > 0 OR key_rate_starts > 0)
ORDER BY priority DESC, run_at_ms, id LIMIT ?;

-- name: last-token
-- The newest token that was given out.
SELECT seq FROM sqlite_sequence WHERE name = 'lease_tokens';

-- name: take-tokens
-- Take the next tokens. RETURNING is slower here: SQLite builds a temporary table for it.
UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'lease_tokens';

-- name: lease-job
-- Leaves pending for in_progress, with a new token.
UPDATE jobs SET status = 'in_progress', is_due = 0, attempt = attempt + 1,
    worker = ?, worker_pid = ?, started_at_ms = ?, progress = NULL, message = NULL,
    lease_token = ?, lease_incarnation = ?, lease_expires_mono_ms = ?, lease_boot_id = ?
WHERE id = ? AND status = 'pending';

-- name: complete-job
-- Leaves in_progress for done, if the token is the job's and the lease has not expired.
-- No row of ended_attempts is written: the job's row keeps its last attempt.
UPDATE jobs SET status = 'done', result = ?, started_at_ms = ?, finished_at_ms = ?,
    error_type = NULL, error_message = NULL, error_traceback = NULL, cpu_s = ?, max_rss_bytes = ?,
    lease_incarnation = NULL, lease_expires_mono_ms = NULL, lease_boot_id = NULL
WHERE id = ? AND lease_token = ? AND status = 'in_progress'
    AND lease_expires_mono_ms > ? AND lease_boot_id = ?;

-- part: held-lease-rows
-- Read the job's retry counters if the lease is still valid. No row: it is lost.
SELECT {spent-columns} FROM jobs WHERE id = ? AND lease_token = ? AND status = 'in_progress'
    AND lease_expires_mono_ms > ? AND lease_boot_id = ?;

-- name: held-lease
-- SQLite has one writer, so no other transaction can have locked the row.
{held-lease-rows}

-- name: held-lease-unlocked
-- SQLite has one writer, so this is the same as `held-lease`; PostgreSQL skips locked rows.
{held-lease-rows}

-- name: renew-lease
-- Stays in_progress: extends the lease, if the token is the job's and the lease has not expired.
UPDATE jobs SET lease_expires_mono_ms = ?
WHERE id = ? AND lease_token = ? AND status = 'in_progress'
    AND lease_expires_mono_ms > ? AND lease_boot_id = ?
RETURNING lease_token;

-- name: cancel-requested
-- Was the cancel of this running job requested?
SELECT id FROM jobs WHERE id = ? AND lease_token = ? AND cancel_requested = 1;
