-- name: i1-one-terminal-event
-- A job ends once, and again only after an operator's retry.
SELECT 'job ' || job_id || ' ended twice without a retry between: events ' || seq_before || ' and ' || seq
FROM (
    SELECT job_id, seq, kind, lag(kind) OVER one AS kind_before, lag(seq) OVER one AS seq_before
    FROM orpheus.{every-event} INDEXED BY events_by_job
    WHERE job_id IS NOT NULL
        AND kind IN ('job.done', 'job.failed', 'job.cancelled', 'job.requeued')
    WINDOW one AS (PARTITION BY job_id ORDER BY seq)) AS ends
WHERE kind <> 'job.requeued' AND kind_before <> 'job.requeued' LIMIT ?;

-- name: i3-one-holder
-- A token names one lease.
SELECT 'jobs ' || min(id) || ' and ' || max(id) || ' are leased with the same token ' || lease_token
FROM orpheus.jobs INDEXED BY jobs_leased WHERE status = 'in_progress'
GROUP BY lease_token HAVING count(*) > 1 LIMIT ?;

-- name: i4-tokens-grow
-- Each attempt of a job has a greater token than the one before.
SELECT 'job ' || job_id || ': the token of attempt ' || number || ' is ' || lease_token
    || ', not greater than ' || token_before
FROM (
    SELECT job_id, number, lease_token, lag(lease_token) OVER (PARTITION BY job_id ORDER BY number)
        AS token_before
    FROM orpheus.attempts) AS tokens
WHERE lease_token <= token_before LIMIT ?;

-- name: i7-retries-spent
-- A live job has spent no more than its retries, and none without an attempt that spends one, while all
-- its attempts are kept.
SELECT 'job ' || id || ' (' || status || ') has spent ' || failures || ' of ' || max_retries
    || ' retries in ' || attempt || ' attempts'
FROM orpheus.jobs
WHERE failures > 0 AND (
    (finished_at_ms IS NULL AND failures > max_retries)
    OR (attempt <= 1000 AND failures > (
        SELECT count(*) FROM orpheus.attempts
        WHERE job_id = jobs.id AND outcome IN ('failed', 'timed_out', 'crashed', 'lost'))))
LIMIT ?;

-- name: i7-attempts
-- Of attempts that spend a retry there are max_retries + 1 at most, after each operator's retry anew.
SELECT 'job ' || jobs.id || ' has ' || spending.n || ' attempts that spent a retry; allowed are '
    || (max_retries + 1) || ' after each submission and retry'
FROM (
    SELECT job_id, count(*) AS n FROM orpheus.attempts
    WHERE outcome IN ('failed', 'timed_out', 'crashed') GROUP BY job_id) AS spending
JOIN orpheus.jobs ON jobs.id = spending.job_id
WHERE (SELECT min(seq) FROM orpheus.{every-event}) = 1 AND spending.n > (max_retries + 1) * (
    1 + (SELECT count(*) FROM orpheus.{every-event} WHERE job_id = jobs.id AND kind = 'job.requeued'))
LIMIT ?;

-- name: i11-no-gap
-- Events are numbered without gaps.
SELECT 'between events ' || seq_before || ' and ' || seq || ' some are missing'
FROM (SELECT seq, lag(seq) OVER (ORDER BY seq) AS seq_before FROM orpheus.events) AS numbers
WHERE seq <> seq_before + 1 LIMIT ?;

-- name: i12-told
-- No job without an event, while all events are kept.
SELECT 'job ' || id || ' has no event' FROM orpheus.jobs
WHERE coalesce((SELECT min(seq) FROM orpheus.{every-event}), 1) = 1
    AND NOT EXISTS (SELECT 1 FROM orpheus.{every-event} WHERE job_id = jobs.id)
LIMIT ?;

-- name: i22-held-for-ever
-- A job is held back only while its type is quarantined, or is released and its jobs are let go.
SELECT 'job ' || id || ' is held back, but its type ' || type || ' is not quarantined' FROM orpheus.jobs
WHERE is_parked = 2 AND NOT EXISTS (SELECT 1 FROM orpheus.quarantines WHERE quarantines.type = jobs.type)
LIMIT ?;
