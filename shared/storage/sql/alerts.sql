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

-- name: seen
-- The events of some kinds in a range, in order.
SELECT seq, at_ms, kind, body FROM orpheus.events
WHERE seq > ? AND seq <= ? AND kind IN (SELECT value FROM {listed-names} AS wanted) ORDER BY seq;

-- name: deliveries
-- Of the newest jobs of a rule up to its last, those that are done or were tried in vain, newest first. A
-- rule whose last job is gone has none: one that it followed may be left, as failed jobs are kept for
-- longer. Jobs of others may have the same tag: up to ?4 of them are passed over.
SELECT tag, jobs.id, created_at_ms, status, error_type, error_message FROM (
    SELECT tag, job_id FROM (
        SELECT tag, job_id FROM orpheus.job_tags WHERE tag = ?1 AND job_id <= ?2
        ORDER BY job_id DESC LIMIT ?4) AS tagged
    WHERE EXISTS (SELECT 1 FROM orpheus.jobs AS alert WHERE alert.queue = ?3 AND alert.id = job_id)
    ORDER BY job_id DESC LIMIT ?5) AS newest
CROSS JOIN orpheus.jobs ON jobs.id = job_id
WHERE (status = 'done' OR (error_type IS NOT NULL AND status <> 'cancelled'))
    AND EXISTS (SELECT 1 FROM orpheus.jobs AS last WHERE last.id = ?2)
ORDER BY jobs.id DESC;
