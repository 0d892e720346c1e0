-- name: all-rules
-- Every rule, with what is remembered of it.
SELECT name, definition, seq, version, state, last_job_id FROM orpheus.alerts ORDER BY name;

-- name: rules-to-change
-- The same in a transaction that changes them: no other process may fire one meanwhile.
SELECT name, definition, seq, version, state, last_job_id FROM orpheus.alerts ORDER BY name FOR UPDATE;

-- name: put-rule
-- Store a rule that is new or has changed: it has seen all events so far.
INSERT INTO orpheus.alerts (name, definition, seq, state) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (name) DO UPDATE SET
    definition = ?2, seq = ?3, version = alerts.version + 1, state = ?4;

-- name: remove-rule
-- Delete a rule that is no longer configured.
DELETE FROM orpheus.alerts WHERE name = ?;

-- name: move-rule
-- Store what a rule has seen, if no other process did: the process that changes this row fires it.
UPDATE orpheus.alerts SET seq = ?, state = ?, version = version + 1 WHERE name = ? AND version = ?;

-- name: note-job
-- Store the job of the last alert.
UPDATE orpheus.alerts SET last_job_id = ? WHERE name = ?;

-- name: late-jobs
-- How many of the first due jobs of a queue, in the order of leasing, have waited since a time, counted
-- up to a number. A job that was freed after that time has not.
SELECT count(*) FROM (
    SELECT 1 FROM (
        SELECT run_at_ms, freed_at_ms FROM orpheus.jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND {in-queue}
        ORDER BY queue, priority DESC, run_at_ms, id LIMIT 10000) AS first
    WHERE run_at_ms < ?2 AND coalesce(freed_at_ms, 0) < ?2 LIMIT ?3) AS late;

-- name: late-delayed-jobs
-- Delayed jobs, which the next lease makes due, by queue: the first of all that wait.
SELECT queue, count(*) FROM (
    SELECT queue FROM orpheus.jobs INDEXED BY jobs_scheduled
    WHERE status = 'pending' AND is_due = 0 AND run_at_ms < ? ORDER BY run_at_ms LIMIT ?) AS late
GROUP BY queue;
