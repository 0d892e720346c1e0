-- name: record-job-events
-- Record each job of a JSON list of ids as it is now, in the order of the list. The database copies the
-- columns, so that an event cannot differ from the row. They are numbered after the commit.
WITH made AS (INSERT INTO orpheus.new_batches DEFAULT VALUES RETURNING id)
INSERT INTO orpheus.event_rows (batch, position, at_ms, kind, job_id, {event-columns})
SELECT (SELECT id FROM made), row_number() OVER (ORDER BY ordinal), ?1, ?2, jobs.id, {event-columns}
FROM json_array_elements_text(?3::json) WITH ORDINALITY AS recorded (id, ordinal)
    JOIN orpheus.jobs ON jobs.id = recorded.id::bigint;

-- name: record-event
-- Record an event that is not about a job.
WITH made AS (INSERT INTO orpheus.new_batches DEFAULT VALUES RETURNING id)
INSERT INTO orpheus.event_rows (batch, position, at_ms, kind, body) SELECT id, 1, ?, ?, ? FROM made;

-- part: event-columns
-- What an event copies from a job's row.
type, status, queue, priority, error_type, error_message, attempt, max_retries, timeout_s,
    progress, message, created_at_ms, run_at_ms, freed_at_ms, started_at_ms, finished_at_ms,
    worker, unique_key, concurrency_key, depends_on, tags, cancel_requested

-- name: events-of-job
-- The events of one job, oldest first.
SELECT before_seq + position, at_ms, kind, job_id, body
FROM orpheus.event_bodies JOIN orpheus.event_batches USING (batch)
WHERE job_id = ? AND before_seq + position > ? ORDER BY batch, position LIMIT ?;

-- name: events-after
-- The next events, in the order of their numbers, until their bodies fill so many bytes; at least one.
SELECT seq, at_ms, kind, job_id, body FROM (
    SELECT seq, at_ms, kind, job_id, body,
        sum(octet_length(body)) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING)
            - octet_length(body) AS bytes_before
    FROM (
        SELECT before_seq + position AS seq, at_ms, kind, job_id, body
        FROM orpheus.event_batches JOIN orpheus.event_bodies USING (batch)
        WHERE last_seq > ?1 AND before_seq + position > ?1
        ORDER BY last_seq, position LIMIT ?2) AS next) AS measured
WHERE bytes_before < ?3 ORDER BY seq;

-- name: epoch
-- The name of this history.
SELECT name FROM orpheus.this_history;

-- name: last-seq
-- The newest seq ever given; it stays when retention has deleted the row.
SELECT last_seq FROM orpheus.history;
