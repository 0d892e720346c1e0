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
