-- name: newest-seq
-- The seq that the newest event has, or will have: some have no number yet.
SELECT last_seq + (SELECT count(*) FROM orpheus.new_events) FROM orpheus.history;

-- name: seen
-- The events of some kinds in a range, in order, without their bodies: the type and the queue, or the
-- slot, host and pid, that each is about.
SELECT
    seq, at_ms, kind,
    json ->> CASE WHEN kind LIKE 'type.%' THEN 'name' ELSE 'type' END,
    json ->> CASE WHEN kind LIKE 'queue.%' THEN 'name' ELSE 'queue' END,
    json ->> 'slot', json ->> 'host', CASE WHEN kind LIKE 'worker.%' THEN (json ->> 'pid')::bigint END
FROM orpheus.events CROSS JOIN LATERAL (SELECT body::json AS json) AS parsed
WHERE seq > ?1 AND seq <= ?2
    AND kind = ANY (ARRAY(SELECT json_array_elements_text(?3::json)))
ORDER BY seq;

-- name: late-jobs
-- How many due jobs of each queue have waited since a time, of each priority up to a number. The index
-- is ordered by queue, priority and time: each of the first 1,000 pairs takes a few probes of it. Jobs that
-- were freed after that time have not waited since. Up to 10,000 of them in a pair do not hide those
-- behind them, or 100,000 in all pairs: if all workers die, their jobs stand at the head.
-- "= ANY" and the queue in ORDER BY leave it the only index in this order. After "=", the server
-- takes every order of this queue for the same: before it knows how many queues there are, it would
-- read the due jobs of all.
WITH RECURSIVE heads (queue, priority, nth) AS (
    SELECT * FROM (
        SELECT queue, priority, 1 FROM orpheus.jobs
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
        ORDER BY queue, priority DESC LIMIT 1) AS first
    UNION ALL
    SELECT next.queue, next.priority, nth + 1
    FROM heads CROSS JOIN LATERAL (
        (SELECT queue, priority FROM orpheus.jobs
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
            AND queue = ANY (ARRAY[heads.queue]) AND priority < heads.priority
        ORDER BY queue, priority DESC LIMIT 1)
        UNION ALL
        (SELECT queue, priority FROM orpheus.jobs
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue > heads.queue
        ORDER BY queue, priority DESC LIMIT 1)
        LIMIT 1) AS next
    WHERE nth < 1000)
SELECT queue, sum((
    SELECT count(*) FROM (
        SELECT 1 FROM (
            SELECT freed_at_ms FROM orpheus.jobs
            WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
                AND queue = ANY (ARRAY[heads.queue]) AND priority = heads.priority AND run_at_ms < ?1
            ORDER BY queue, priority DESC, run_at_ms LIMIT ?2 + (SELECT least(10000, 100000 / count(*)) FROM heads)) AS due
        WHERE coalesce(freed_at_ms, 0) < ?1 LIMIT ?2) AS late))
FROM heads GROUP BY queue;

-- name: deliveries
-- Of the newest jobs of each of these rules, those that are done or were tried in vain, newest first. A
-- rule whose last job is gone has none: one that it followed may be left, as failed jobs are kept for
-- longer. Jobs of others may have the same tag: so many of them are passed over.
SELECT wanted.rule, jobs.id, created_at_ms, status, error_type, error_message
FROM json_each_text(?1::json) AS wanted (rule, last_id)
    CROSS JOIN LATERAL (
        SELECT job_id FROM (
            SELECT job_id FROM orpheus.job_tags
            WHERE job_tags.tag = wanted.rule AND job_id <= wanted.last_id::bigint
            ORDER BY job_id DESC LIMIT ?4) AS tagged
        WHERE EXISTS (
            SELECT 1 FROM orpheus.jobs AS alert WHERE alert.queue = ?2 AND alert.id = tagged.job_id)
        ORDER BY job_id DESC LIMIT ?3) AS newest
    JOIN orpheus.jobs ON jobs.id = newest.job_id
WHERE (status = 'done' OR (error_type IS NOT NULL AND status <> 'cancelled'))
    AND EXISTS (SELECT 1 FROM orpheus.jobs AS last WHERE last.id = wanted.last_id::bigint)
ORDER BY jobs.id DESC;
