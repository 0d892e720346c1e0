-- name: record-job-events
-- Record each job of a JSON list of ids as it is now, in the order of the list. The database writes
-- the bodies, so that an event cannot differ from the row. It is numbered after the commit.
INSERT INTO orpheus.new_events (at_ms, kind, job_id, body)
SELECT ?1, ?2, job.id, row_to_json(job)
FROM json_array_elements_text(?3::json) WITH ORDINALITY AS recorded (id, ordinal)
    CROSS JOIN LATERAL (
        SELECT {event-fields}
        FROM orpheus.jobs WHERE jobs.id = recorded.id::bigint) AS job
ORDER BY ordinal;

-- name: record-event
-- Record an event that is not about a job.
INSERT INTO orpheus.new_events (at_ms, kind, job_id, body) VALUES (?, ?, NULL, ?);

-- name: epoch
-- The name of this history.
SELECT name FROM orpheus.this_history;

-- name: last-seq
-- The newest seq ever given; it stays when retention has deleted the row.
SELECT last_seq FROM orpheus.history;
