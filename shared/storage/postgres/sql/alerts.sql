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
