-- name: due-of-all
-- The first due jobs of all queues, in the order of leasing.
-- Returns no rows if any queue is paused or limited.
-- The first columns are the order, and the fields of Lease that are known before the lease. Then:
--   token: of the lease of this job.
--   delayed_ms: when the next delayed job is due.
--   held: the quarantined types.
--   awaited: the versions of types that jobs wait for.
-- They stay locked; those that another host has locked are left to it. A token is drawn when its job is
-- locked. The queues are looked at here, so that no job is locked before the limits are.
SELECT due.*, nextval('orpheus.lease_tokens') << 20 | floor(random() * 1048576)::bigint AS token,
    (SELECT run_at_ms FROM orpheus.jobs
    WHERE status = 'pending' AND is_due = 0 ORDER BY run_at_ms LIMIT 1) AS delayed_ms, (
        SELECT string_agg(type, ' ') FROM orpheus.quarantines WHERE released_ms IS NULL) AS held, (
        SELECT string_agg(type || ' ' || versions, ',') FROM orpheus.awaited_versions) AS awaited
FROM (
    SELECT {due-columns} FROM orpheus.jobs
    WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
        AND NOT EXISTS (
            SELECT 1 FROM orpheus.queues
            WHERE coalesce(paused, paused_by_config) = 1 OR max_running > 0 OR rate_starts > 0
                OR max_running_per_key > 0 OR key_rate_starts > 0)
    ORDER BY priority DESC, run_at_ms, id LIMIT ? FOR NO KEY UPDATE SKIP LOCKED) AS due;

-- name: take-tokens
-- Take the next tokens. Those of one job grow, as its row is locked meanwhile. The last 20 bits are
-- random: a server that is killed forgets leases, whose commits do not wait for the disk, and the
-- numbers that they took; a worker that still has such a lease must not hold another's token.
SELECT nextval('orpheus.lease_tokens') << 20 | floor(random() * 1048576)::bigint
FROM generate_series(1, ?);

-- name: lease-job
-- Leaves pending for in_progress, with a new token. Of many jobs at once.
-- Here and in other statements about many jobs at once, `coalesce(status, '')` keeps the server from
-- reading all jobs in that status, of which its statistics always count too few: it looks them up by
-- their ids.
UPDATE orpheus.jobs SET status = 'in_progress', is_due = 0, attempt = attempt + 1,
    worker = lease.slot, worker_pid = lease.pid, started_at_ms = lease.started_at_ms,
    progress = NULL, message = NULL,
    lease_token = lease.token, lease_incarnation = lease.incarnation,
    lease_expires_mono_ms = lease.expires_mono_ms, lease_boot_id = lease.boot_id
FROM unnest(?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::text[], ?::bigint[], ?::text[],
    ?::bigint[]) AS lease (slot, pid, started_at_ms, token, incarnation, expires_mono_ms, boot_id, id)
WHERE jobs.id = lease.id AND coalesce(status, '') = 'pending';

-- name: complete-job
-- Leaves in_progress for done, if the token is the job's and the lease has not expired. Of many jobs at
-- once. No row of ended_attempts is written: the job's row keeps its last attempt.
UPDATE orpheus.jobs SET status = 'done', result = done.result,
    started_at_ms = done.started_at_ms, finished_at_ms = done.finished_at_ms,
    error_type = NULL, error_message = NULL, error_traceback = NULL,
    cpu_s = done.cpu_s, max_rss_bytes = done.max_rss_bytes,
    lease_incarnation = NULL, lease_expires_mono_ms = NULL, lease_boot_id = NULL
FROM unnest(?::text[], ?::bigint[], ?::bigint[], ?::double precision[], ?::bigint[], ?::bigint[],
    ?::bigint[], ?::bigint[], ?::text[])
    AS done (result, started_at_ms, finished_at_ms, cpu_s, max_rss_bytes, id, token, mono_ms, boot_id)
WHERE jobs.id = done.id AND lease_token = done.token AND coalesce(status, '') = 'in_progress'
    AND lease_expires_mono_ms > done.mono_ms AND lease_boot_id = done.boot_id;

-- part: held-lease-rows
-- Read the retry counters of many jobs at once, if their leases are still valid. No row: it is lost.
SELECT {spent-columns} FROM orpheus.jobs
    JOIN unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::text[])
        AS held (id, token, mono_ms, boot_id) ON jobs.id = held.id
WHERE lease_token = held.token AND coalesce(status, '') = 'in_progress'
    AND lease_expires_mono_ms > held.mono_ms AND lease_boot_id = held.boot_id

-- name: held-lease
-- Lock it; no row: the lease is lost.
{held-lease-rows} FOR NO KEY UPDATE OF jobs;

-- name: held-lease-unlocked
-- Lock it, unless another transaction has; no row: the lease is lost, or the job is locked.
{held-lease-rows} FOR NO KEY UPDATE OF jobs SKIP LOCKED;

-- name: renew-lease
-- Stays in_progress: extends the lease, if the token is the job's and the lease has not expired. Of
-- many jobs at once, but for those that another transaction has locked: the worker may just end one.
UPDATE orpheus.jobs SET lease_expires_mono_ms = kept.expires_mono_ms
FROM (
    SELECT held.expires_mono_ms, jobs.id
    FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::text[])
        AS held (expires_mono_ms, id, token, mono_ms, boot_id)
        JOIN orpheus.jobs ON jobs.id = held.id
    WHERE lease_token = held.token AND coalesce(status, '') = 'in_progress'
        AND lease_expires_mono_ms > held.mono_ms AND lease_boot_id = held.boot_id
    FOR NO KEY UPDATE OF jobs SKIP LOCKED) AS kept
WHERE jobs.id = kept.id
RETURNING lease_token;

-- name: cancel-requested
-- Was the cancel of this running job requested? Of many jobs at once.
SELECT jobs.id FROM orpheus.jobs
    JOIN unnest(?::bigint[], ?::bigint[]) AS running (id, token)
        ON jobs.id = running.id AND lease_token = running.token
WHERE cancel_requested = 1;
