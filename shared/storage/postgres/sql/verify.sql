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
-- Each job is as its last event tells, but for progress and message; one that is gone had ended
-- (retention) or was deleted.
SELECT 'job ' || last.job_id || CASE WHEN job.id IS NULL THEN ' is gone, but' ELSE ' is not as' END
    || ' its last event, ' || last.seq || ', tells' || CASE WHEN job.id IS NULL THEN ' otherwise' ELSE '' END
FROM (
    SELECT job_id, seq, kind, body::jsonb AS body
    FROM (
        SELECT job_id, max(seq) AS seq FROM orpheus.all_events
        WHERE job_id IS NOT NULL GROUP BY job_id) AS newest
    JOIN orpheus.all_events USING (job_id, seq)) AS last
    LEFT JOIN (SELECT {event-fields} FROM orpheus.jobs) AS job ON job.id = last.job_id
WHERE CASE WHEN job.id IS NULL
    THEN kind <> 'job.deleted' AND body ->> 'status' NOT IN ('done', 'failed', 'cancelled')
    ELSE kind = 'job.deleted'
        OR body - ARRAY['id', 'progress', 'message']
            <> row_to_json(job)::jsonb - ARRAY['id', 'progress', 'message'] END
LIMIT ?;
