-- name: all-rules
-- Every rule, with what is remembered of it.
SELECT name, definition, seq, version, state, last_job_id FROM alerts ORDER BY name;

-- name: put-rule
-- Store a rule that is new or has changed: it has seen all events so far.
INSERT INTO alerts (name, definition, seq, state) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (name) DO UPDATE SET
    definition = ?2, seq = ?3, version = version + 1, state = ?4;

-- name: remove-rule
-- Delete a rule that is no longer configured.
DELETE FROM alerts WHERE name = ?;

-- name: move-rule
-- Store what a rule has seen, if no other process did: the process that changes this row fires it.
UPDATE alerts SET seq = ?, state = ?, version = version + 1 WHERE name = ? AND version = ?;

-- name: note-job
-- Store the job of the last alert.
UPDATE alerts SET last_job_id = ? WHERE name = ?;

-- name: newest-seq
-- The seq of the newest event, 0 if there never was one.
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0);

-- name: seen
-- The events of some kinds in a range, in order, without their bodies: the type, the queue and the slot
-- that each is about.
SELECT
    seq, at_ms, kind,
    body ->> CASE WHEN kind LIKE 'type.%' THEN 'name' ELSE 'type' END,
    body ->> CASE WHEN kind LIKE 'queue.%' THEN 'name' ELSE 'queue' END,
    body ->> 'slot'
FROM events
WHERE seq > ?1 AND seq <= ?2 AND kind IN (SELECT value FROM json_each(?3)) ORDER BY seq;

-- name: event
-- One event.
SELECT job_id, body FROM events WHERE seq = ?;

-- name: late-jobs
-- How many due jobs of each queue have waited since a time, of each priority up to a number. The index
-- is ordered by queue, priority and time: each of the first 1,000 pairs takes a few probes of it.
WITH RECURSIVE heads (queue, priority, nth) AS (
    SELECT * FROM (
        SELECT queue, priority, 1 FROM jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
        ORDER BY queue, priority DESC LIMIT 1)
    UNION ALL
    SELECT
        CASE WHEN EXISTS (
            SELECT 1 FROM jobs INDEXED BY jobs_due
            WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
                AND queue = heads.queue AND priority < heads.priority)
        THEN heads.queue ELSE (
            SELECT min(queue) FROM jobs INDEXED BY jobs_due
            WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue > heads.queue) END,
        coalesce((
            SELECT max(priority) FROM jobs INDEXED BY jobs_due
            WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
                AND queue = heads.queue AND priority < heads.priority), (
            SELECT priority FROM jobs INDEXED BY jobs_due
            WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue > heads.queue
            ORDER BY queue, priority DESC LIMIT 1)),
        nth + 1
    FROM heads WHERE heads.queue IS NOT NULL AND nth < 1000)
SELECT queue, sum((
    SELECT count(*) FROM (
        SELECT 1 FROM jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
            AND queue = heads.queue AND priority = heads.priority AND run_at_ms < ?1
        LIMIT ?2)))
FROM heads WHERE queue IS NOT NULL GROUP BY queue;

-- name: late-delayed-jobs
-- The same for delayed jobs, which the next lease makes due: the first of all that wait.
SELECT queue, count(*) FROM (
    SELECT queue FROM jobs INDEXED BY jobs_scheduled
    WHERE status = 'pending' AND is_due = 0 AND run_at_ms < ? ORDER BY run_at_ms LIMIT ?)
GROUP BY queue;

-- name: runs-of-alerts
-- Of the newest jobs of a queue: the runs whose process died since a time, and those that go on.
WITH newest AS (SELECT id, status, worker, started_at_ms FROM jobs WHERE queue = ?1
    ORDER BY id DESC LIMIT ?3)
SELECT worker, started_at_ms, NULL FROM newest WHERE status = 'in_progress'
UNION ALL
SELECT runs.worker, runs.started_at_ms, runs.finished_at_ms
FROM newest JOIN ended_attempts AS runs ON runs.job_id = newest.id
WHERE runs.outcome IN ('crashed', 'timed_out', 'lost') AND runs.finished_at_ms >= ?2;
