-- name: insert-job
-- Insert a job: blocked while it waits for others, else pending; due unless it is delayed. Of a batch,
-- many rows of values follow each other in one statement.
INSERT INTO jobs (
    type, payload, status, queue, priority, is_due, max_retries, timeout_s,
    created_at_ms, run_at_ms, unique_key, tags, waits_for, on_dependency_failure, traceparent,
    concurrency_key, is_parked, freed_at_ms, versions, scheduled_ms, expires_ms, unique_until_ms,
    retention_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: equals-in-order
-- Compares the first column of an index with a value, where it stands in ORDER BY too.
= ?
