-- name: events-of-seqs
-- The events of a JSON list of seqs, in their order: the newest, as many as fit into so many bytes.
SELECT seq, at_ms, kind, job_id, body FROM (
    SELECT seq, at_ms, kind, job_id, body,
        sum(octet_length(body)) OVER (ORDER BY seq DESC ROWS UNBOUNDED PRECEDING) AS bytes
    FROM orpheus.events WHERE seq IN (SELECT value FROM {listed-ids} AS wanted)) AS measured
WHERE bytes <= ? ORDER BY seq;

-- name: events-of-job
-- The events of one job, oldest first.
SELECT seq, at_ms, kind, job_id, body FROM orpheus.events WHERE job_id = ? AND seq > ? ORDER BY seq LIMIT ?;

-- name: oldest-seq
-- The oldest event that is still kept.
SELECT seq FROM orpheus.events ORDER BY seq LIMIT 1;
