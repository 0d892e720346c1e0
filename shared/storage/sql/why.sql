-- name: of-job
-- What only `why` asks of a job's row: what it waits for, its lease, and how its last attempt ended.
SELECT is_due, is_parked, crashes, waits_for, versions, lease_incarnation, lease_token, (
    SELECT outcome FROM orpheus.ended_attempts WHERE job_id = jobs.id ORDER BY number DESC LIMIT 1)
FROM orpheus.jobs WHERE id = ?;

-- name: waits-for
-- The first jobs that a job waits for; the children of a durable function are counted by `children-left`.
SELECT jobs.id, type, status
FROM orpheus.job_dependencies CROSS JOIN orpheus.jobs ON jobs.id = job_dependencies.depends_on
WHERE job_dependencies.job_id = ? AND waits = 1 AND child IS NULL ORDER BY jobs.id LIMIT ?;

-- name: children-left
-- How many children of a job have not ended.
SELECT count(*) FROM orpheus.job_dependencies WHERE job_id = ? AND waits = 1 AND child IS NOT NULL;

-- name: pauses
-- Every paused queue: who paused it last, why, and when; nulls, if the configuration did.
SELECT name, by, reason, at_ms FROM orpheus.queues LEFT JOIN orpheus.audit
    ON coalesce(paused, 0) = 1 AND id = (
        SELECT id FROM orpheus.audit AS one INDEXED BY audit_by_target
        WHERE target = 'queue ' || name AND action = 'pause' ORDER BY id DESC LIMIT 1)
WHERE coalesce(paused, paused_by_config) = 1;

-- name: leased-before
-- The jobs that the worker of a lease has leased before it and not finished.
SELECT id FROM orpheus.jobs INDEXED BY jobs_by_status
WHERE status = 'in_progress' AND lease_incarnation = ? AND lease_token < ? ORDER BY lease_token;

-- name: running-of-queue
-- The first running jobs of a queue.
SELECT id FROM orpheus.jobs INDEXED BY jobs_by_status
WHERE status = 'in_progress' AND queue = ? ORDER BY id LIMIT ?;

-- name: running-of-key
-- The first running jobs of a key.
SELECT id FROM orpheus.jobs INDEXED BY jobs_of_key
WHERE concurrency_key IS NOT NULL AND is_parked = 0 AND finished_at_ms IS NULL
    AND queue = ? AND concurrency_key = ? AND status = 'in_progress' ORDER BY id LIMIT ?;

-- name: first-due
-- The first due jobs of a queue, from a priority downwards, in the order of leasing.
SELECT id, type, concurrency_key, versions, priority, run_at_ms, freed_at_ms
FROM orpheus.jobs INDEXED BY jobs_due
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND {in-queue} AND priority <= ?2
ORDER BY queue, priority DESC, run_at_ms, id LIMIT ?3;

-- name: first-parked
-- Some jobs of a queue that wait for room of their key, the first of ?2 by their times.
SELECT jobs.id, type, concurrency_key, versions, priority, jobs.run_at_ms, freed_at_ms FROM (
    SELECT id, run_at_ms FROM orpheus.jobs INDEXED BY jobs_parked
    WHERE is_parked = 1 AND queue = ?1 LIMIT ?2) AS parked
CROSS JOIN orpheus.jobs ON jobs.id = parked.id ORDER BY parked.run_at_ms, jobs.id LIMIT ?3;

-- name: come-due
-- By queue, the jobs whose time has come and that the next lease makes due: how many, since when.
SELECT queue, count(*), min(run_at_ms) FROM (
    SELECT queue, run_at_ms FROM orpheus.jobs INDEXED BY jobs_scheduled
    WHERE status = 'pending' AND is_due = 0 AND run_at_ms <= ?1 ORDER BY run_at_ms LIMIT ?2) AS come
GROUP BY queue;

-- name: held-queues
-- The queues in which jobs wait as their type is quarantined, or for a worker with other code.
SELECT DISTINCT queue, type, is_parked FROM (
    SELECT * FROM (
        SELECT queue, type, is_parked FROM orpheus.jobs INDEXED BY jobs_held
        WHERE is_parked = 2 LIMIT ?1) AS quarantined
    UNION ALL
    SELECT * FROM (
        SELECT queue, type, is_parked FROM orpheus.jobs INDEXED BY jobs_awaiting
        WHERE is_parked = 3 LIMIT ?1) AS awaiting) AS held
ORDER BY queue, type;
