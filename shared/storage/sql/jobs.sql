-- name: set-dependencies
-- Store the ids that a new blocked job waits for, once those of its batch are known.
UPDATE orpheus.jobs SET depends_on = ?, waits_for = ? WHERE id = ? AND status = 'blocked';

-- name: insert-large-payload
-- Store the payload of a job that has '' in its own row.
INSERT INTO orpheus.large_payloads (job_id, payload) VALUES (?, ?);

-- name: insert-tag
-- Make the job findable by a tag.
INSERT INTO orpheus.job_tags (tag, job_id) VALUES (?, ?) ON CONFLICT DO NOTHING;

-- name: holders-of-unique-keys
-- The jobs that hold unique keys of a JSON list: live ones, and ended ones whose time is not over. Only
-- the newest job of a key can be such a one. The live ones come last.
SELECT wanted.value, jobs.id, jobs.type, 0 AS is_live, jobs.unique_until_ms
FROM {listed-names} AS wanted
    CROSS JOIN orpheus.jobs ON jobs.id = (
        SELECT id FROM orpheus.jobs AS same INDEXED BY jobs_by_unique_key
        WHERE same.unique_key IS NOT NULL AND same.unique_key = wanted.value
        ORDER BY same.id DESC LIMIT 1)
WHERE jobs.finished_at_ms IS NOT NULL AND jobs.unique_until_ms > ?
UNION ALL
SELECT wanted.value, jobs.id, jobs.type, 1 AS is_live, jobs.unique_until_ms
FROM {listed-names} AS wanted
    CROSS JOIN orpheus.jobs INDEXED BY jobs_unique_key ON jobs.unique_key = wanted.value
WHERE jobs.unique_key IS NOT NULL AND jobs.finished_at_ms IS NULL;

-- part: whole-payload
-- The payload, which a large one has in a row of its own.
CASE WHEN payload <> '' THEN payload ELSE (
        SELECT payload FROM orpheus.large_payloads WHERE job_id = jobs.id) END

-- part: columns-after-result
-- The fields of Job (shared/domain/jobs.py) from `error` on.
{error-column},
    attempt, max_retries, timeout_s, progress, message,
    created_at_ms, run_at_ms, freed_at_ms, started_at_ms, finished_at_ms,
    worker, unique_key, concurrency_key, depends_on, tags, cancel_requested, on_dependency_failure,
    {ran-until-column}, scheduled_ms, expires_ms, unique_until_ms, retention_ms

-- name: select-jobs
-- Jobs, with the fields of Job (shared/domain/jobs.py) as columns; a WHERE or JOIN follows.
SELECT jobs.id, type, {whole-payload} AS payload, status, queue, priority, result,
    {columns-after-result}
FROM orpheus.jobs

-- name: select-previews
-- The same, with only the first characters of the payload's and the result's JSON. The first values: how
-- many, a JSON list of types, and how many of these.
SELECT jobs.id, type, substr({whole-payload}, 1, CASE WHEN {among-types} THEN
        CAST(? AS integer) ELSE CAST(? AS integer) END) AS payload, status, queue, priority,
    substr(result, 1, CASE WHEN {among-types} THEN
        CAST(? AS integer) ELSE CAST(? AS integer) END) AS result,
    {columns-after-result}
FROM orpheus.jobs

-- name: select-ids
-- The ids of jobs; a WHERE or JOIN follows.
SELECT jobs.id FROM orpheus.jobs

-- name: select-cursors
-- Jobs that have ended, by when they did; a WHERE or JOIN follows.
SELECT finished_at_ms, jobs.id FROM orpheus.jobs

-- name: by-status
-- These follow such a query and say where it finds the jobs: SQLite does not know which is rarer.
INDEXED BY jobs_by_status

-- name: by-type
-- The index of the types.
INDEXED BY jobs_by_type

-- name: by-queue
-- The index of the queues.
INDEXED BY jobs_by_queue

-- name: by-unique-key
-- The index of the unique keys.
INDEXED BY jobs_by_unique_key

-- name: by-id
-- The jobs themselves, by their ids.
NOT INDEXED

-- name: by-tag
-- The jobs themselves, by the ids that have a tag.
NOT INDEXED

-- name: by-ended
-- The index of those that have ended, by status and time.
INDEXED BY jobs_ended

-- name: by-error
-- The index of the failed ones, by type, error, location and time.
INDEXED BY jobs_failed

-- name: with-tags
-- Follows a query of jobs by a tag.
JOIN orpheus.job_tags ON job_tags.job_id = jobs.id

-- name: contains
-- A condition: the text of a pattern is in the type, the error or a tag.
type {matches} OR coalesce(error_message, '') {matches} OR tags {matches}

-- name: payload-contains
-- A condition: the text of a pattern is in the payload.
{whole-payload} {matches}

-- part: among-types
-- A condition: the type is in a JSON list.
type IN (SELECT value FROM {listed-names} AS listed)

-- name: of-types
-- The same.
{among-types}

-- name: payload-has
-- A condition: at a JSON path, the payload has this value, which is JSON.
EXISTS (
    SELECT 1 FROM (
        SELECT {whole-payload} AS payload, CAST(? AS text) AS path, CAST(? AS text) AS wanted
    ) AS compared
    WHERE {equal-at-path})

-- name: status-of
-- The status of a job, for a client that waits for its end.
SELECT status FROM orpheus.jobs WHERE id = ?;

-- name: run-of
-- How a job stands, without its payload and result.
SELECT status, started_at_ms, {ran-until-column}, error_type FROM orpheus.jobs WHERE id = ?;

-- name: select-attempts
-- The newest attempts of a job that have ended, newest first, with the fields of Attempt as columns.
SELECT number, outcome, worker, pid, started_at_ms, finished_at_ms, {error-column},
    cpu_s, max_rss_bytes
FROM orpheus.attempts WHERE job_id = ? ORDER BY number DESC LIMIT ?;

-- name: select-running-attempt
-- The attempt of a job that is running, in the same columns. It is stored in the job's row.
SELECT attempt AS number, NULL AS outcome, worker, worker_pid AS pid, started_at_ms,
    NULL AS finished_at_ms, NULL AS error, NULL AS cpu_s, NULL AS max_rss_bytes
FROM orpheus.jobs WHERE id = ? AND status = 'in_progress';

-- name: cancel-waiting
-- Leaves blocked or pending for cancelled. Attempts before it keep their times: this end has no start.
UPDATE orpheus.jobs SET status = 'cancelled', is_due = 0, is_parked = 0, waits_for = 0,
    cancel_requested = 1, started_at_ms = NULL, finished_at_ms = ?
WHERE id = ? AND status IN ('blocked', 'pending');

-- name: any-expired
-- Is there a job that was not started in time?
SELECT 1 FROM orpheus.jobs INDEXED BY jobs_expiring
WHERE expires_ms IS NOT NULL AND attempt = 0 AND finished_at_ms IS NULL AND expires_ms <= ? LIMIT 1;

-- name: expired
-- The first jobs that were not started in time; they stay locked. Others that are locked just start.
SELECT id, status, queue, type, concurrency_key, has_dependents, expires_ms
FROM orpheus.jobs INDEXED BY jobs_expiring
WHERE expires_ms IS NOT NULL AND attempt = 0 AND finished_at_ms IS NULL AND expires_ms <= ?
ORDER BY expires_ms LIMIT ? FOR NO KEY UPDATE SKIP LOCKED;

-- name: expire-job
-- Leaves blocked or pending for cancelled, if the job has never started.
UPDATE orpheus.jobs SET status = 'cancelled', is_due = 0, is_parked = 0, waits_for = 0,
    finished_at_ms = ?, error_type = 'Expired', error_message = ?
WHERE id = ? AND status IN ('blocked', 'pending') AND attempt = 0;

-- name: replace-job
-- Stays blocked or pending: a job that has never started gets another payload and time.
UPDATE orpheus.jobs SET payload = ?, is_due = ?, run_at_ms = ?, freed_at_ms = ?, versions = ?,
    expires_ms = ?, is_parked = 0
WHERE id = ? AND status IN ('blocked', 'pending') AND attempt = 0
RETURNING queue, concurrency_key;

-- name: forget-large-payload
-- Delete the payload of a job that gets another one.
DELETE FROM orpheus.large_payloads WHERE job_id = ?;

-- name: request-cancel
-- Stays in_progress: the worker reads the flag.
UPDATE orpheus.jobs SET cancel_requested = 1
WHERE id = ? AND status = 'in_progress' AND cancel_requested = 0;

-- name: retry-job
-- Leaves failed or cancelled for pending, or for blocked if jobs it depends on are live. It gets all
-- its retries again; attempts keep their numbers. The error of a job that never started (that it
-- expired) is no longer true.
UPDATE orpheus.jobs SET status = CASE WHEN ?1 > 0 THEN 'blocked' ELSE 'pending' END, is_due = ?4,
    waits_for = ?1, failures = 0, crashes = 0, losses = 0, cancel_requested = 0,
    run_at_ms = ?2, freed_at_ms = NULL, finished_at_ms = NULL, progress = NULL, message = NULL,
    expires_ms = NULL,
    error_type = CASE WHEN attempt > 0 THEN error_type END,
    error_message = CASE WHEN attempt > 0 THEN error_message END
WHERE id = ?3 AND status IN ('failed', 'cancelled');

-- name: run-now
-- Stays pending, and is due now. A job that is due already keeps its turn.
UPDATE orpheus.jobs SET is_due = 1, run_at_ms = CASE WHEN run_at_ms > ?1 THEN ?1 ELSE run_at_ms END
WHERE id = ?2 AND status = 'pending' AND is_due = 0;

-- name: long-logs
-- Those of a JSON list of jobs whose logs have at least so many lines.
SELECT value FROM {listed-ids} AS ended
WHERE EXISTS (SELECT 1 FROM orpheus.job_logs WHERE job_id = value LIMIT 1 OFFSET ? - 1);

-- name: delete-job
-- Delete a job that has ended. The caller has checked that no live job depends on it.
DELETE FROM orpheus.jobs WHERE id = ? AND status IN ('done', 'failed', 'cancelled');

-- name: few-of-type
-- How many jobs have a type, counted up to a bound.
SELECT count(*) FROM (SELECT 1 FROM orpheus.jobs WHERE type = ? LIMIT ?) AS found;

-- name: few-of-unique-key
-- How many jobs have a unique key, counted up to a bound.
SELECT count(*) FROM (SELECT 1 FROM orpheus.jobs WHERE unique_key = ? LIMIT ?) AS found;

-- name: few-of-tag
-- How many jobs have a tag, counted up to a bound.
SELECT count(*) FROM (SELECT 1 FROM orpheus.job_tags WHERE tag = ? LIMIT ?) AS found;

-- name: newest-id
-- The id of the newest job.
SELECT max(id) FROM orpheus.jobs;

-- name: among-ids
-- A condition: the id is in a JSON list.
jobs.id IN (SELECT value FROM {listed-ids} AS wanted)

-- name: seen
-- A condition: a caller may see the job.
{in-scope}

-- name: known-ids
-- Those of a JSON list of ids that a job has. It cannot be deleted until the transaction ends.
SELECT jobs.id FROM {listed-ids} AS wanted CROSS JOIN orpheus.jobs ON jobs.id = wanted.value
ORDER BY jobs.id FOR KEY SHARE OF jobs;

-- name: running-jobs
-- The running job of each incarnation: that of its smallest token, as the others are newer, or
-- prefetched.
SELECT id, type, worker, incarnation, started_at_ms, progress, message, in_progress, crashes FROM (
    SELECT id, type, worker, lease_incarnation AS incarnation, started_at_ms, progress, message,
        count(*) OVER (PARTITION BY lease_incarnation) AS in_progress, crashes,
        row_number() OVER (PARTITION BY lease_incarnation ORDER BY lease_token) AS place
    FROM orpheus.jobs INDEXED BY jobs_by_status WHERE status = 'in_progress') AS leased WHERE place = 1;
