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
-- `freed_at_ms` was `unblocked_at_ms` once.
SELECT 'job ' || job_id || ' is not as its last event, ' || seq || ', tells:' || differences
FROM (
    SELECT last.job_id, last.seq, CASE
        WHEN kind = 'job.deleted' THEN CASE WHEN jobs.id IS NULL THEN '' ELSE ' it is still there' END
        WHEN jobs.id IS NULL THEN CASE
            WHEN body ->> 'status' IN ('done', 'failed', 'cancelled') THEN '' ELSE ' it is gone' END
        ELSE (
            SELECT coalesce(string_agg(' ' || name, '' ORDER BY ordinal), '')
            FROM (VALUES
                (1, 'status', body -> 'status', to_jsonb(status)),
                (2, 'type', body -> 'type', to_jsonb(type)),
                (3, 'queue', body -> 'queue', to_jsonb(queue)),
                (4, 'priority', body -> 'priority', to_jsonb(priority)),
                (5, 'error', body #> '{error,type}', to_jsonb(error_type)),
                (6, 'error', body #> '{error,message}', to_jsonb(error_message)),
                (7, 'attempt', body -> 'attempt', to_jsonb(attempt)),
                (8, 'max_retries', body -> 'max_retries', to_jsonb(max_retries)),
                (9, 'timeout', body -> 'timeout_s', to_jsonb(timeout_s)),
                (10, 'created_at', body -> 'created_at_ms', to_jsonb(created_at_ms)),
                (11, 'run_at', body -> 'run_at_ms', to_jsonb(run_at_ms)),
                (12, 'freed_at', coalesce(body -> 'freed_at_ms', body -> 'unblocked_at_ms'),
                    to_jsonb(freed_at_ms)),
                (13, 'started_at', body -> 'started_at_ms', to_jsonb(started_at_ms)),
                (14, 'finished_at', body -> 'finished_at_ms', to_jsonb(finished_at_ms)),
                (15, 'worker', body -> 'worker', to_jsonb(worker)),
                (16, 'unique_key', body -> 'unique_key', to_jsonb(unique_key)),
                (17, 'concurrency_key', body -> 'concurrency_key', to_jsonb(concurrency_key)),
                (18, 'depends_on', body -> 'depends_on', depends_on::jsonb),
                (19, 'tags', body -> 'tags', tags::jsonb),
                (20, 'cancel_requested', body -> 'cancel_requested', to_jsonb(cancel_requested = 1))
            ) AS field (ordinal, name, told, now)
            WHERE coalesce(told, 'null') <> coalesce(now, 'null'))
        END AS differences
    FROM (
        SELECT DISTINCT ON (job_id) job_id, seq, kind, body::jsonb AS body
        FROM orpheus.all_events WHERE job_id IS NOT NULL ORDER BY job_id, seq DESC) AS last
    LEFT JOIN orpheus.jobs ON jobs.id = last.job_id) AS told
WHERE differences <> '' LIMIT ?;
