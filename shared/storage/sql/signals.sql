-- name: find
-- A signal that was sent.
SELECT payload, at_ms FROM orpheus.signals WHERE name = ? AND key = ?;

-- name: send
-- Store a signal; the first payload of a name and key stays.
INSERT INTO orpheus.signals (name, key, payload, at_ms) VALUES (?, ?, ?, ?)
ON CONFLICT (name, key) DO NOTHING;

-- name: replace
-- Give a signal another payload, for functions that have not received it.
UPDATE orpheus.signals SET payload = ?, at_ms = ? WHERE name = ? AND key = ?;

-- name: waiting
-- The first jobs that wait for a signal, and the steps in which they do. The jobs stay locked.
SELECT jobs.id, jobs.status, jobs.on_dependency_failure, jobs.queue, jobs.waits_for,
    jobs.has_dependents, jobs.type, steps.name
FROM orpheus.steps INDEXED BY steps_by_signal
    CROSS JOIN orpheus.jobs ON jobs.id = steps.job_id
WHERE steps.signal = ? AND steps.key = ? AND steps.state = 'waiting' AND steps.kind = 'signal'
ORDER BY steps.job_id LIMIT ? FOR NO KEY UPDATE OF jobs;

-- name: is-awaited
-- Does a job wait for a signal?
SELECT 1 FROM orpheus.steps INDEXED BY steps_by_signal
WHERE signal = ? AND key = ? AND state = 'waiting' AND kind = 'signal' LIMIT 1;

-- name: receive
-- The signal for which a step waits is there: keep its payload.
UPDATE orpheus.steps SET state = 'kept', result = ?, at_ms = ?
WHERE job_id = ? AND name = ? AND kind = 'signal' AND state = 'waiting';

-- name: set-wakes
-- Whether more jobs may wait for a signal.
UPDATE orpheus.signals SET wakes = ? WHERE name = ? AND key = ?;

-- name: next-to-wake
-- A signal for which more jobs may wait.
SELECT name, key, payload FROM orpheus.signals INDEXED BY signals_to_wake
WHERE wakes = 1 ORDER BY name, key LIMIT 1;

-- name: timed-out
-- The first waits for signals whose time is over. A signal that was sent will still be received.
SELECT steps.job_id, steps.name, steps.signal, steps.key
FROM orpheus.steps INDEXED BY steps_by_timeout
WHERE state = 'waiting' AND kind = 'signal' AND until_ms IS NOT NULL AND until_ms <= ?
    AND NOT EXISTS (
        SELECT 1 FROM orpheus.signals WHERE signals.name = steps.signal AND signals.key = steps.key)
ORDER BY until_ms LIMIT ?;

-- name: next-timeout
-- When the first wait for a signal times out.
SELECT min(until_ms) FROM orpheus.steps INDEXED BY steps_by_timeout
WHERE state = 'waiting' AND kind = 'signal' AND until_ms IS NOT NULL;

-- name: long-waits
-- The job that has waited longest for a signal, since before a time, and how many have, counted up to a bound.
-- A cancelled job keeps its wait, but does not wait.
SELECT job_id, type, signal, key, at_ms, count(*) OVER () FROM (
    SELECT steps.job_id, jobs.type, steps.signal, steps.key, steps.at_ms
    FROM orpheus.steps INDEXED BY steps_by_wait
        CROSS JOIN orpheus.jobs ON jobs.id = steps.job_id
    WHERE steps.state = 'waiting' AND steps.kind = 'signal' AND steps.at_ms < ?1
        AND jobs.status = 'blocked'
    ORDER BY steps.at_ms LIMIT ?2) AS waits
ORDER BY at_ms LIMIT 1;

-- name: waiting-job
-- A job that waits, if it still does, in the columns of `waiting`.
SELECT jobs.id, jobs.status, jobs.on_dependency_failure, jobs.queue, jobs.waits_for,
    jobs.has_dependents, jobs.type, steps.name
FROM orpheus.steps CROSS JOIN orpheus.jobs ON jobs.id = steps.job_id
WHERE steps.job_id = ? AND steps.name = ? AND steps.state = 'waiting' AND steps.kind = 'signal'
    AND NOT EXISTS (
        SELECT 1 FROM orpheus.signals WHERE signals.name = steps.signal AND signals.key = steps.key)
FOR NO KEY UPDATE OF jobs;

-- name: time-out
-- A wait for a signal ends without it.
UPDATE orpheus.steps SET state = 'timed_out', at_ms = ?
WHERE job_id = ? AND name = ? AND kind = 'signal' AND state = 'waiting';

-- name: expired
-- Is there a signal that is older than its rule allows?
SELECT 1 FROM orpheus.signals INDEXED BY signals_by_age WHERE at_ms < ? AND wakes = 0 LIMIT 1;

-- name: delete-expired
-- Delete some of them, oldest first.
DELETE FROM orpheus.signals WHERE (name, key) IN (
    SELECT name, key FROM orpheus.signals INDEXED BY signals_by_age
    WHERE at_ms < ? AND wakes = 0 ORDER BY at_ms LIMIT ?) AND wakes = 0;
