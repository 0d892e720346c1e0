-- name: events-of-job
-- The events of one job, oldest first.
SELECT seq, at_ms, kind, job_id, body FROM orpheus.events WHERE job_id = ? AND seq > ? ORDER BY seq LIMIT ?;

-- name: events-after
-- The next events, in the order of their numbers, until their bodies fill so many bytes; at least one.
SELECT seq, at_ms, kind, job_id, body FROM (
    SELECT seq, at_ms, kind, job_id, body,
        sum(octet_length(body)) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING)
            - octet_length(body) AS bytes_before
    FROM (SELECT * FROM orpheus.events WHERE seq > ? ORDER BY seq LIMIT ?) AS next) AS measured
WHERE bytes_before < ? ORDER BY seq;
