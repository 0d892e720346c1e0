-- name: newest-seq
-- The seq of the newest event, 0 if there never was one.
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0);

-- name: seen
-- The events of some kinds in a range, in order, without their bodies: the type and the queue, or the
-- slot, host and pid, that each is about.
SELECT
    seq, at_ms, kind,
    body ->> CASE WHEN kind LIKE 'type.%' THEN 'name' ELSE 'type' END,
    body ->> CASE WHEN kind LIKE 'queue.%' THEN 'name' ELSE 'queue' END,
    body ->> 'slot', body ->> 'host', body ->> 'pid'
FROM events
WHERE seq > ?1 AND seq <= ?2 AND kind IN (SELECT value FROM json_each(?3)) ORDER BY seq;

-- name: late-jobs
-- How many due jobs of each queue have waited since a time, of each priority up to a number. The index
-- is ordered by queue, priority and time: each of the first 1,000 pairs takes a few probes of it. Jobs that
-- were freed after that time have not waited since. Up to 10,000 of them in a pair do not hide those
-- behind them, or 100,000 in all pairs: if all workers die, their jobs stand at the head.
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
        SELECT 1 FROM (
            SELECT freed_at_ms FROM jobs INDEXED BY jobs_due
            WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
                AND queue = heads.queue AND priority = heads.priority AND run_at_ms < ?1
            LIMIT ?2 + (SELECT min(10000, 100000 / count(*)) FROM heads))
        WHERE coalesce(freed_at_ms, 0) < ?1 LIMIT ?2)))
FROM heads WHERE queue IS NOT NULL GROUP BY queue;

-- name: deliveries
-- Of the newest jobs of each of these rules, those that are done or were tried in vain, newest first. A
-- rule whose last job is gone has none: one that it followed may be left, as failed jobs are kept for
-- longer. Jobs of others may have the same tag: so many of them are passed over.
SELECT wanted.key, jobs.id, created_at_ms, status, error_type, error_message
FROM json_each(?1) AS wanted CROSS JOIN jobs ON jobs.id IN (
    SELECT job_id FROM (
        SELECT job_id FROM job_tags WHERE tag = wanted.key AND job_id <= wanted.value
        ORDER BY job_id DESC LIMIT ?4) AS tagged
    WHERE EXISTS (SELECT 1 FROM jobs AS alert WHERE alert.queue = ?2 AND alert.id = job_id)
    ORDER BY job_id DESC LIMIT ?3)
WHERE (status = 'done' OR (error_type IS NOT NULL AND status <> 'cancelled'))
    AND EXISTS (SELECT 1 FROM jobs AS last WHERE last.id = wanted.value)
ORDER BY jobs.id DESC;
