-- name: i4-attempt-numbers
-- Attempts are numbered 1, 2, 3, … and the last is the job's. The newest 1,000 are kept.
SELECT 'job ' || id || ' is at attempt ' || attempt || ', but its attempts that ended are numbered '
    || coalesce((SELECT group_concat(number) FROM attempts WHERE job_id = jobs.id), 'not at all')
FROM jobs
WHERE (
    SELECT count(*) <> jobs.attempt - (jobs.status = 'in_progress') - coalesce(min(number), 1) + 1
        OR max(number) <> jobs.attempt - (jobs.status = 'in_progress')
        OR (min(number) > 1 AND count(*) < 1000)
    FROM attempts WHERE job_id = jobs.id)
LIMIT ?;

-- name: i4-newest-token
-- A job's own token is that of its newest attempt or a later one, and was given out.
SELECT 'job ' || id || ' has token ' || lease_token || ', of attempts up to '
    || coalesce((SELECT max(lease_token) FROM attempts WHERE job_id = jobs.id), 0)
    || '; the last one given out is ' || (SELECT last FROM lease_tokens)
FROM jobs
WHERE lease_token > (SELECT last FROM lease_tokens)
    OR lease_token + (status <> 'in_progress')
        <= (SELECT max(lease_token) FROM attempts WHERE job_id = jobs.id)
LIMIT ?;

-- name: i11-last
-- The newest event is there.
SELECT 'the last event was ' || last.seq || ', but the newest that is kept is ' || newest.seq
FROM (SELECT seq FROM sqlite_sequence WHERE name = 'events') AS last
JOIN (SELECT max(seq) AS seq FROM events) AS newest
WHERE newest.seq <> last.seq LIMIT ?;

-- name: i12-folded
-- Each job is as its last event tells; one that is gone had ended (retention) or was deleted.
SELECT 'job ' || job_id || ' is not as its last event, ' || seq || ', tells:' || differences
FROM (
    SELECT last.job_id, last.seq, CASE
        WHEN kind = 'job.deleted' THEN iif(jobs.id IS NULL, '', ' it is still there')
        WHEN jobs.id IS NULL THEN iif(
            body ->> 'status' IN ('done', 'failed', 'cancelled'), '', ' it is gone')
        ELSE iif(body ->> 'status' IS jobs.status, '', ' status')
            || iif(body ->> 'type' IS jobs.type, '', ' type')
            || iif(body ->> 'queue' IS jobs.queue, '', ' queue')
            || iif(body ->> 'priority' IS jobs.priority, '', ' priority')
            || iif(body ->> '$.error.type' IS jobs.error_type
                AND body ->> '$.error.message' IS jobs.error_message, '', ' error')
            || iif(body ->> 'attempt' IS jobs.attempt, '', ' attempt')
            || iif(body ->> 'max_retries' IS jobs.max_retries, '', ' max_retries')
            || iif(body ->> 'timeout_s' IS jobs.timeout_s, '', ' timeout')
            || iif(body ->> 'created_at_ms' IS jobs.created_at_ms, '', ' created_at')
            || iif(body ->> 'run_at_ms' IS jobs.run_at_ms, '', ' run_at')
            || iif(body ->> 'freed_at_ms' IS jobs.freed_at_ms,
                '', ' freed_at')
            || iif(body ->> 'started_at_ms' IS jobs.started_at_ms, '', ' started_at')
            || iif(body ->> 'finished_at_ms' IS jobs.finished_at_ms, '', ' finished_at')
            || iif(body ->> 'worker' IS jobs.worker, '', ' worker')
            || iif(body ->> 'unique_key' IS jobs.unique_key, '', ' unique_key')
            || iif(body ->> 'concurrency_key' IS jobs.concurrency_key, '', ' concurrency_key')
            || iif(body -> 'depends_on' IS json(jobs.depends_on), '', ' depends_on')
            || iif(body -> 'tags' IS json(jobs.tags), '', ' tags')
            || iif(body ->> 'cancel_requested' IS jobs.cancel_requested, '', ' cancel_requested')
        END AS differences
    FROM (
        SELECT job_id, max(seq) AS seq FROM events INDEXED BY events_by_job
        WHERE job_id IS NOT NULL GROUP BY job_id) AS last
    JOIN events ON events.seq = last.seq
    LEFT JOIN jobs ON jobs.id = last.job_id)
WHERE differences <> '' LIMIT ?;
