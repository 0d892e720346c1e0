-- name: i4-newest-token
-- A job's own token is that of its newest attempt or a later one, and was given out.
SELECT 'job ' || id || ' has token ' || lease_token || ', of attempts up to '
    || coalesce((SELECT max(lease_token) FROM attempts WHERE job_id = jobs.id), 0)
    || '; the last one given out is ' || (SELECT seq FROM sqlite_sequence WHERE name = 'lease_tokens')
FROM jobs
WHERE lease_token > (SELECT seq FROM sqlite_sequence WHERE name = 'lease_tokens')
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
-- Each job is as its last event tells, but for progress and message; one that is gone had ended
-- (retention) or was deleted.
SELECT 'job ' || last.job_id || CASE WHEN jobs.id IS NULL THEN ' is gone, but' ELSE ' is not as' END
    || ' its last event, ' || last.seq || ', tells' || CASE WHEN jobs.id IS NULL THEN ' otherwise' ELSE '' END
FROM (
    SELECT job_id, max(seq) AS seq FROM events INDEXED BY events_by_job
    WHERE job_id IS NOT NULL GROUP BY job_id) AS last
    JOIN events ON events.seq = last.seq LEFT JOIN jobs ON jobs.id = last.job_id
WHERE CASE WHEN jobs.id IS NULL
    THEN kind <> 'job.deleted' AND body ->> 'status' NOT IN ('done', 'failed', 'cancelled')
    ELSE kind = 'job.deleted' OR body ->> 'timeout_s' <> timeout_s
        OR json_remove(body, '$.progress', '$.message', '$.timeout_s')
            <> json_remove({event-body}, '$.progress', '$.message', '$.timeout_s') END
LIMIT ?;
