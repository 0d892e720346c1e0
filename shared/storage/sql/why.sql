-- name: of-job
-- What only `why` asks of a job's row: what it waits for, its lease, and how its last attempt ended.
SELECT is_due, is_parked, crashes, waits_for, versions, lease_incarnation, lease_token, (
    SELECT outcome FROM orpheus.ended_attempts WHERE job_id = jobs.id ORDER BY number DESC LIMIT 1)
FROM orpheus.jobs WHERE id = ?;

-- name: waits-for
-- The first jobs that a job waits for.
SELECT jobs.id, type, status
FROM orpheus.job_dependencies CROSS JOIN orpheus.jobs ON jobs.id = job_dependencies.depends_on
WHERE job_dependencies.job_id = ? AND waits = 1 ORDER BY jobs.id LIMIT ?;

-- name: pauses
-- Every paused queue: who paused it last, why, and when; nulls, if the configuration did.
SELECT name, by, reason, at_ms FROM orpheus.queues LEFT JOIN orpheus.audit
    ON coalesce(paused, 0) = 1 AND id = (
        SELECT id FROM orpheus.audit AS one INDEXED BY audit_by_target
        WHERE target = 'queue ' || name AND action = 'pause' ORDER BY id DESC LIMIT 1)
WHERE coalesce(paused, paused_by_config) = 1;

-- name: resumptions
-- Every queue that the configuration pauses and an operator has resumed: who, why, and when.
SELECT name, by, reason, at_ms FROM orpheus.queues LEFT JOIN orpheus.audit ON id = (
    SELECT id FROM orpheus.audit AS one INDEXED BY audit_by_target
    WHERE target = 'queue ' || name AND action = 'resume' ORDER BY id DESC LIMIT 1)
WHERE paused = 0 AND paused_by_config = 1;

-- name: resumed
-- When an operator resumed each open queue of a JSON list last.
SELECT name, at_ms FROM orpheus.queues JOIN orpheus.audit ON id = (
    SELECT id FROM orpheus.audit AS one INDEXED BY audit_by_target
    WHERE target = 'queue ' || name AND action = 'resume' ORDER BY id DESC LIMIT 1)
WHERE paused = 0 AND name IN (SELECT value FROM {listed-names} AS open);

-- name: leased-before
-- The jobs that the worker of a lease has leased before it and not finished.
SELECT id FROM orpheus.jobs INDEXED BY jobs_leased
WHERE status = 'in_progress' AND lease_incarnation = ? AND lease_token < ? ORDER BY lease_token;

-- name: running-of-queue
-- The first running jobs of a queue.
SELECT id FROM orpheus.jobs INDEXED BY jobs_leased
WHERE status = 'in_progress' AND queue = ? ORDER BY id LIMIT ?;

-- name: running-of-key
-- The first running jobs of a key.
SELECT id FROM orpheus.jobs INDEXED BY jobs_of_key
WHERE concurrency_key IS NOT NULL AND is_parked = 0 AND finished_at_ms IS NULL
    AND queue = ? AND concurrency_key = ? AND status = 'in_progress' ORDER BY id LIMIT ?;

-- name: before-in-queue
-- The due jobs of queue ?1 that go before the job of priority ?2, time ?3 and id ?4: those of a
-- higher priority, and those of the same.
SELECT * FROM (
    SELECT -priority, run_at_ms, id, queue, concurrency_key, type FROM orpheus.jobs INDEXED BY jobs_due
    WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = ?1 AND priority > ?2
    ORDER BY priority DESC, run_at_ms, id LIMIT ?5) AS higher
UNION ALL
SELECT * FROM (
    SELECT -priority, run_at_ms, id, queue, concurrency_key, type FROM orpheus.jobs INDEXED BY jobs_due
    WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = ?1 AND priority = ?2
        AND (run_at_ms, id) < (?3, ?4)
    ORDER BY run_at_ms, id LIMIT ?5) AS same;

-- name: become-due
-- The same of all queues, of jobs whose time has come and that the next lease makes due.
SELECT -priority, run_at_ms, id, queue, concurrency_key, type FROM (
    SELECT priority, run_at_ms, id, queue, concurrency_key, type FROM orpheus.jobs INDEXED BY jobs_scheduled
    WHERE status = 'pending' AND is_due = 0 AND run_at_ms <= ?1
    ORDER BY run_at_ms LIMIT 5000) AS due
WHERE priority > ?2 OR (priority = ?2 AND (run_at_ms, id) < (?3, ?4)) LIMIT ?5;

-- name: parked-before
-- The same of the parked jobs of a key.
SELECT -priority, run_at_ms, id, queue, concurrency_key, type FROM orpheus.jobs INDEXED BY jobs_parked
WHERE is_parked = 1 AND queue = ?1 AND concurrency_key = ?6
    AND (priority > ?2 OR (priority = ?2 AND (run_at_ms, id) < (?3, ?4)))
ORDER BY priority DESC, run_at_ms, id LIMIT ?5;
