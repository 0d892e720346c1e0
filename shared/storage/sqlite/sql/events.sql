-- name: record-job-events
-- Record each job of a JSON list of ids as it is now, in the order of the list. The database writes
-- the bodies, so that an event cannot differ from the row.
INSERT INTO events (at_ms, kind, job_id, body)
SELECT ?1, ?2, id, {event-body}
FROM (SELECT value AS recorded FROM json_each(?3)) CROSS JOIN jobs ON jobs.id = recorded;

-- name: record-event
-- Record an event that is not about a job.
INSERT INTO events (at_ms, kind, job_id, body) VALUES (?, ?, NULL, ?);

-- name: events-of-job
-- The events of one job, oldest first.
SELECT seq, at_ms, kind, job_id, body FROM events WHERE job_id = ? AND seq > ? ORDER BY seq LIMIT ?;

-- name: events-after
-- The next events, in the order of their numbers, until their bodies fill so many bytes; at least one.
SELECT seq, at_ms, kind, job_id, body FROM (
    SELECT seq, at_ms, kind, job_id, body,
        sum(octet_length(body)) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING)
            - octet_length(body) AS bytes_before
    FROM (SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?) AS next) AS measured
WHERE bytes_before < ? ORDER BY seq;

-- name: epoch
-- The name of this history of the database.
SELECT epoch FROM history;

-- name: last-seq
-- The newest seq ever given; it stays when retention has deleted the row.
SELECT seq FROM sqlite_sequence WHERE name = 'events';
