-- name: insert-job
-- Insert jobs, in the order of their rows: each blocked while it waits for others, else pending; due
-- unless it is delayed.
INSERT INTO orpheus.jobs (
    type, payload, status, queue, priority, is_due, max_retries, timeout_s, created_at_ms,
    run_at_ms, unique_key, tags, waits_for, on_dependency_failure, traceparent, concurrency_key,
    is_parked, freed_at_ms, versions, scheduled_ms, expires_ms, unique_until_ms, retention_ms)
SELECT * FROM unnest(?::text[],
    ?::text[], ?::text[], ?::text[], ?::int[], ?::smallint[], ?::int[],
    ?::double precision[], ?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::int[], ?::text[],
    ?::text[], ?::text[], ?::smallint[], ?::bigint[], ?::text[], ?::bigint[], ?::bigint[],
    ?::bigint[], ?::bigint[]);

-- name: equals-in-order
-- Compares the first column of an index with a value, where it stands in ORDER BY too: then its index is the
-- only one that fits. By `=`, the server may go through all newer jobs by their ids, as it expects jobs
-- of each kind everywhere.
= ANY (ARRAY[?])
