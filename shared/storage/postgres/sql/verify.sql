-- name: i4-attempt-numbers
-- Attempts are numbered 1, 2, 3, … and the last is the job's. The newest 1,000 are kept.
SELECT 'job ' || id || ' is at attempt ' || attempt || ', but its attempts that ended are numbered '
    || coalesce(ended.numbers, 'not at all')
FROM (SELECT id, attempt, attempt - (status = 'in_progress')::integer AS last FROM orpheus.jobs) AS job
    LEFT JOIN (
        SELECT job_id, count(*) AS n, min(number) AS first, max(number) AS last,
            string_agg(number::text, ',' ORDER BY number) AS numbers
        FROM orpheus.attempts GROUP BY job_id) AS ended ON ended.job_id = job.id
WHERE coalesce(ended.n, 0) <> job.last - coalesce(ended.first, 1) + 1 OR ended.last <> job.last
    OR (ended.first > 1 AND ended.n < 1000)
LIMIT ?;

-- name: i4-newest-token
-- A job's own token is that of its newest attempt or a later one, and was given out.
SELECT 'job ' || id || ' has token ' || lease_token || ', of attempts up to ' || coalesce(newest, 0)
    || '; the last one given out is ' || last_value
FROM orpheus.lease_tokens, orpheus.jobs
    LEFT JOIN (
        SELECT job_id, max(lease_token) AS newest FROM orpheus.attempts GROUP BY job_id) AS ended
    ON ended.job_id = jobs.id
WHERE lease_token >> 20 > CASE WHEN is_called THEN last_value ELSE 0 END
    OR lease_token + (status <> 'in_progress')::integer <= newest
LIMIT ?;

-- name: i11-last
-- The newest event is there.
SELECT 'the last event was ' || last_seq || ', but the newest that is kept is ' || newest.seq
FROM orpheus.history CROSS JOIN (SELECT max(seq) AS seq FROM orpheus.events) AS newest
WHERE newest.seq <> last_seq LIMIT ?;

-- name: i12-folded
-- Each job is as its last event tells; one that is gone had ended (retention) or was deleted.
SELECT 'job ' || job_id || ' is not as its last event, ' || seq || ', tells:' || differences
FROM (
    SELECT last.job_id, last.seq, CASE
        WHEN kind = 'job.deleted' THEN CASE WHEN jobs.id IS NULL THEN '' ELSE ' it is still there' END
        WHEN jobs.id IS NULL THEN CASE
            WHEN body ->> 'status' IN ('done', 'failed', 'cancelled') THEN '' ELSE ' it is gone' END
        ELSE CASE WHEN body ->> 'status' = status THEN '' ELSE ' status' END
            || CASE WHEN body ->> 'type' = type THEN '' ELSE ' type' END
            || CASE WHEN body ->> 'queue' = queue THEN '' ELSE ' queue' END
            || CASE WHEN body ->> 'priority' = priority::text THEN '' ELSE ' priority' END
            || CASE WHEN body #>> '{error,type}' IS NOT DISTINCT FROM error_type
                AND body #>> '{error,message}' IS NOT DISTINCT FROM error_message
                THEN '' ELSE ' error' END
            || CASE WHEN body ->> 'attempt' = attempt::text THEN '' ELSE ' attempt' END
            || CASE WHEN body ->> 'max_retries' = max_retries::text THEN '' ELSE ' max_retries' END
            || CASE WHEN body -> 'timeout_s' = to_jsonb(timeout_s) THEN '' ELSE ' timeout' END
            || CASE WHEN body ->> 'created_at_ms' = created_at_ms::text THEN '' ELSE ' created_at' END
            || CASE WHEN body ->> 'run_at_ms' = run_at_ms::text THEN '' ELSE ' run_at' END
            || CASE WHEN body ->> 'freed_at_ms'
                IS NOT DISTINCT FROM freed_at_ms::text THEN '' ELSE ' freed_at' END
            || CASE WHEN body ->> 'started_at_ms' IS NOT DISTINCT FROM started_at_ms::text
                THEN '' ELSE ' started_at' END
            || CASE WHEN body ->> 'finished_at_ms' IS NOT DISTINCT FROM finished_at_ms::text
                THEN '' ELSE ' finished_at' END
            || CASE WHEN body ->> 'worker' IS NOT DISTINCT FROM worker THEN '' ELSE ' worker' END
            || CASE WHEN body ->> 'unique_key' IS NOT DISTINCT FROM unique_key
                THEN '' ELSE ' unique_key' END
            || CASE WHEN body ->> 'concurrency_key' IS NOT DISTINCT FROM concurrency_key
                THEN '' ELSE ' concurrency_key' END
            || CASE WHEN body -> 'depends_on' = depends_on::jsonb THEN '' ELSE ' depends_on' END
            || CASE WHEN body -> 'tags' = tags::jsonb THEN '' ELSE ' tags' END
            || CASE WHEN body -> 'cancel_requested' = to_jsonb(cancel_requested = 1)
                THEN '' ELSE ' cancel_requested' END
        END AS differences
    FROM (
        SELECT job_id, seq, kind, body::jsonb AS body
        FROM (
            SELECT job_id, max(seq) AS seq FROM orpheus.all_events
            WHERE job_id IS NOT NULL GROUP BY job_id) AS newest
        JOIN orpheus.all_events USING (job_id, seq)
        OFFSET 0) AS last -- else the body is parsed again for each field
    LEFT JOIN orpheus.jobs ON jobs.id = last.job_id) AS told
WHERE differences <> '' LIMIT ?;
