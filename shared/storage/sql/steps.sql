-- part: step-columns
-- The fields of Step (shared/domain/steps.py); the result is read apart.
name, position, kind, state, attempt, at_ms, took_ms, until_ms, signal, key, children

-- name: steps-of
-- What a job has kept, in the order of keeping; a longer result only up to a number of characters. A gather
-- waits as long as one of its children has not ended.
SELECT name, position, kind,
    CASE WHEN kind = 'gather' AND NOT EXISTS (
        SELECT 1 FROM orpheus.job_dependencies
        WHERE job_dependencies.job_id = ?1 AND waits = 1 AND child IS NOT NULL)
    THEN 'kept' ELSE state END,
    attempt, at_ms, took_ms, until_ms, signal, key, children, substr(result, 1, CAST(?2 AS integer)) FROM orpheus.steps
WHERE job_id = ?1 ORDER BY position, name;

-- name: has-steps
-- Has a job kept anything?
SELECT 1 FROM orpheus.steps WHERE job_id = ? LIMIT 1;

-- name: last-wait
-- The last sleep, wait for a signal or gather of a job.
SELECT {step-columns}, NULL FROM orpheus.steps
WHERE job_id = ? AND kind <> 'step' AND kind <> 'cursor' ORDER BY position DESC LIMIT 1;

-- name: kept-steps
-- The same for the worker that runs the job: a long result is read when its step is asked for.
SELECT {step-columns}, CASE WHEN length(result) <= 4096 THEN result END FROM orpheus.steps
WHERE job_id = ?;

-- name: result-of
-- The result of one step.
SELECT result FROM orpheus.steps WHERE job_id = ? AND name = ?;

-- name: created
-- When a job was submitted.
SELECT created_at_ms FROM orpheus.jobs WHERE id = ?;

-- name: held
-- Is the lease still held? The job stays locked, so nobody ends its lease before this transaction ends.
SELECT failures + crashes + losses FROM orpheus.jobs
WHERE id = ? AND lease_token = ? AND status = 'in_progress'
    AND lease_expires_mono_ms > ? AND lease_boot_id = ? FOR NO KEY UPDATE;

-- name: reset-patience
-- Stays in_progress: retries count from the last kept step.
UPDATE orpheus.jobs SET failures = 0, crashes = 0, losses = 0
WHERE id = ? AND lease_token = ? AND status = 'in_progress';

-- name: keep
-- Keep a step of a job that this transaction holds. What is kept stays; a wait becomes kept, and a cursor
-- moves on.
INSERT INTO orpheus.steps (
    job_id, name, position, kind, state, result, attempt, at_ms, took_ms, until_ms, signal, key, children)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (job_id, name) DO UPDATE SET state = excluded.state, result = excluded.result,
    attempt = excluded.attempt, at_ms = excluded.at_ms, took_ms = excluded.took_ms
WHERE steps.state = 'waiting' OR steps.kind = 'cursor';

-- name: delete-between
-- Delete the steps of the item of a cursor that is done: those with names in a range.
DELETE FROM orpheus.steps WHERE job_id = ? AND name >= ? AND name < ?;

-- name: one-step
-- A wait that is stored: its state, its timeout and its children.
SELECT state, until_ms, children FROM orpheus.steps WHERE job_id = ? AND name = ?;

-- name: name-child
-- Make a job wait for a child.
INSERT INTO orpheus.job_dependencies (job_id, depends_on, child) VALUES (?, ?, ?)
ON CONFLICT (job_id, depends_on) DO UPDATE SET child = excluded.child;

-- name: unname-child
-- A job no longer has a child, as its step is forgotten.
DELETE FROM orpheus.job_dependencies WHERE job_id = ? AND depends_on = ? AND child IS NOT NULL;

-- name: children
-- Jobs of a JSON list, with the fields of Dependency (shared/domain/jobs.py) as columns.
SELECT jobs.id, jobs.type, status, result,
    {error-column},
    CAST(NULL AS text)
FROM {listed-ids} AS wanted CROSS JOIN orpheus.jobs ON jobs.id = wanted.value;

-- name: latest-sleep
-- When the last sleep of a job ends or ended.
SELECT max(until_ms) FROM orpheus.steps WHERE job_id = ? AND kind = 'sleep';

-- name: wake
-- An operator ends the sleep of a job.
UPDATE orpheus.steps SET until_ms = ?1 WHERE job_id = ?2 AND kind = 'sleep' AND until_ms > ?1;

-- name: look-again
-- A job is retried: it looks again how its children ended.
UPDATE orpheus.steps SET state = 'waiting', result = NULL
WHERE job_id = ? AND kind = 'gather' AND state = 'kept';

-- name: wait-anew
-- A job is retried: it waits again when it is run, and for what it depends on until then.
DELETE FROM orpheus.steps WHERE job_id = ? AND kind = 'signal' AND state = 'waiting';

-- name: steps-from
-- A step and those that were kept after it, with their children.
SELECT name, children FROM orpheus.steps
WHERE job_id = ?1 AND position >= (SELECT position FROM orpheus.steps WHERE job_id = ?1 AND name = ?2);

-- name: forget
-- Delete a step.
DELETE FROM orpheus.steps WHERE job_id = ? AND name = ?;
