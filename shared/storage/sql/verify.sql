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
FROM orpheus.jobs INDEXED BY jobs_by_status WHERE status = 'in_progress'
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
        WHERE job_id = jobs.id AND outcome IN ('failed', 'timed_out', 'crashed', 'lost')
            AND coalesce(spent_retry, 1) = 1)))
LIMIT ?;

-- name: i7-attempts
-- Of attempts that spend a retry there are max_retries + 1 at most, after each operator's retry anew. A
-- kept step begins them anew, too, so durable functions are left out.
SELECT 'job ' || jobs.id || ' has ' || spending.n || ' attempts that spent a retry; allowed are '
    || (max_retries + 1) || ' after each submission and retry'
FROM (
    SELECT job_id, count(*) AS n FROM orpheus.ended_attempts
    WHERE spent_retry = 1 GROUP BY job_id) AS spending
JOIN orpheus.jobs ON jobs.id = spending.job_id
WHERE (SELECT min(seq) FROM orpheus.{every-event}) = 1
    AND NOT EXISTS (SELECT 1 FROM orpheus.steps WHERE steps.job_id = jobs.id)
    AND spending.n > (max_retries + 1) * (
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

-- name: i16-rows-of-jobs
-- What belongs to a job is deleted with it.
SELECT name || ': a row names job ' || job_id || ', which does not exist'
FROM (
    SELECT 'large_payloads' AS name, job_id FROM orpheus.large_payloads
    UNION ALL SELECT 'job_tags', job_id FROM orpheus.job_tags
    UNION ALL SELECT 'job_dependencies', job_id FROM orpheus.job_dependencies
    UNION ALL SELECT 'cascades', job_id FROM orpheus.cascades
    UNION ALL SELECT 'ended_attempts', job_id FROM orpheus.ended_attempts
    UNION ALL SELECT 'steps', job_id FROM orpheus.steps
    UNION ALL SELECT 'job_logs', job_id FROM orpheus.job_logs
    UNION ALL SELECT 'audit_jobs', job_id FROM orpheus.audit_jobs) AS parts
WHERE NOT EXISTS (SELECT 1 FROM orpheus.jobs WHERE jobs.id = parts.job_id) LIMIT ?;

-- name: i18-blocked-for-ever
-- A blocked job waits for a signal, or for jobs that are live, or whose cascade has not reached it yet.
-- One that an application has submitted may still have to be linked.
SELECT 'job ' || id || ' waits for ' || waits_for || ' jobs, but ' || live
    || ' of those it depends on are live or are still to reach it'
FROM (
    SELECT id, waits_for, (
        SELECT count(*) FROM orpheus.steps
        WHERE job_id = jobs.id AND kind = 'signal' AND state = 'waiting') + (
        SELECT count(*) FROM orpheus.job_dependencies
            CROSS JOIN orpheus.jobs AS others ON others.id = job_dependencies.depends_on
        WHERE job_dependencies.job_id = jobs.id AND job_dependencies.waits = 1
            AND (others.status IN ('blocked', 'pending', 'in_progress')
                OR others.id IN (SELECT job_id FROM orpheus.cascades))) AS live
    FROM orpheus.jobs
    WHERE status = 'blocked' AND id NOT IN (SELECT job_id FROM orpheus.cascades)) AS blocked
WHERE waits_for <> live LIMIT ?;

-- name: i24-missed-signal
-- No job waits for a signal that is there, unless upkeep is to wake it.
SELECT 'job ' || job_id || ' waits for the signal ' || signal || ' of key ' || steps.key
    || ', which was sent'
FROM orpheus.steps JOIN orpheus.signals ON signals.name = steps.signal AND signals.key = steps.key
WHERE kind = 'signal' AND state = 'waiting' AND wakes = 0 LIMIT ?;

-- name: i18-cascades
-- Only the end of a job reaches those that depend on it; one that depends on others may be there to
-- be linked.
SELECT 'job ' || id || ' is ' || status || ', but its end is stored as a cascade'
FROM orpheus.cascades JOIN orpheus.jobs ON jobs.id = cascades.job_id
WHERE status IN ('blocked', 'pending', 'in_progress')
    AND NOT EXISTS (SELECT 1 FROM orpheus.job_dependencies WHERE job_id = jobs.id) LIMIT ?;

-- name: i19-counts
-- The kept counts are the counted ones.
SELECT 'queue ' || queue || ': ' || coalesce(counted.n, 0) || ' jobs are ' || status
    || ', the kept count says ' || coalesce(kept.n, 0)
FROM (SELECT queue, status, count(*) AS n FROM orpheus.jobs GROUP BY queue, status) AS counted
FULL JOIN (
    SELECT queue, status, sum(n) AS n FROM orpheus.job_counts GROUP BY queue, status) AS kept
    USING (queue, status)
WHERE coalesce(counted.n, 0) <> coalesce(kept.n, 0) LIMIT ?;

-- name: i21-parked-for-ever
-- A parked job waits for a key that has no room, that opens at a time, or that is still to be looked at.
SELECT 'queue ' || queue || ', key ' || key || ': jobs are parked, but ' || n
    || ' of ' || CASE WHEN most > 0 THEN CAST(most AS text) ELSE 'any number' END || ' run or may be leased'
FROM (
    SELECT parked.queue, parked.concurrency_key AS key, coalesce(max_running_per_key, 0) AS most,
        coalesce(key_rate_starts, 0) AS starts, (
            SELECT count(*) FROM orpheus.jobs INDEXED BY jobs_of_key
            WHERE concurrency_key IS NOT NULL AND is_parked = 0 AND finished_at_ms IS NULL
                AND queue = parked.queue AND concurrency_key = parked.concurrency_key
                AND (status = 'in_progress' OR (status = 'pending' AND is_due = 1))) AS n
    FROM (SELECT DISTINCT queue, concurrency_key FROM orpheus.jobs WHERE is_parked = 1) AS parked
        LEFT JOIN orpheus.queues ON name = parked.queue
    WHERE sweep_after IS NULL) AS found
WHERE (most = 0 OR n < most) AND NOT (starts > 0 AND n > 0)
    AND NOT EXISTS (
        SELECT 1 FROM orpheus.key_rates
        WHERE key_rates.queue = found.queue AND key_rates.key = found.key
            AND opens_mono_ms IS NOT NULL)
LIMIT ?;

-- name: i22-held-for-ever
-- A job is held back only while its type is quarantined, or is released and its jobs are let go.
SELECT 'job ' || id || ' is held back, but its type ' || type || ' is not quarantined' FROM orpheus.jobs
WHERE is_parked = 2 AND NOT EXISTS (SELECT 1 FROM orpheus.quarantines WHERE quarantines.type = jobs.type)
LIMIT ?;

-- name: i23-awaits-for-ever
-- What a job that not every worker can read waits for is noted: else nobody would look for it.
SELECT 'job ' || id || ' waits for a version of ' || type || ', but that is not noted' FROM orpheus.jobs
WHERE is_parked = 3 AND NOT EXISTS (
    SELECT 1 FROM orpheus.awaited_versions AS awaited
    WHERE awaited.type = jobs.type AND awaited.versions = jobs.versions)
LIMIT ?;

-- name: i4-attempt-numbers
-- Attempts are numbered 1, 2, 3, … and the last is the job's. The newest 1,000 are kept.
SELECT 'job ' || id || ' is at attempt ' || attempt || ', but its attempts that ended are numbered '
    || coalesce(ended.numbers, 'not at all')
FROM (
    SELECT id, attempt, CASE status WHEN 'in_progress' THEN attempt - 1 ELSE attempt END AS last
    FROM orpheus.jobs) AS job
    LEFT JOIN (
        SELECT job_id, count(*) AS n, min(number) AS first, max(number) AS last,
            string_agg(CAST(number AS text), ',' ORDER BY number) AS numbers
        FROM orpheus.attempts GROUP BY job_id) AS ended ON ended.job_id = job.id
WHERE coalesce(ended.n, 0) <> job.last - coalesce(ended.first, 1) + 1 OR ended.last <> job.last
    OR (ended.first > 1 AND ended.n < 1000)
LIMIT ?;
