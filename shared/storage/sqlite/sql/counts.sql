-- name: change-count
-- Change the number of jobs of a queue in a status. max(): the CHECK also tests the row that would be
-- inserted, which a decrease would make negative.
INSERT INTO job_counts (queue, status, n) VALUES (?1, ?2, max(?3, 0))
ON CONFLICT (queue, status) DO UPDATE SET n = n + ?3;

-- name: add-finished
-- Add to the jobs of a queue and type that ended in this minute, and to how long those that are done
-- ran. A type that is not described is ''.
INSERT INTO finished_per_minute (minute, queue, type, status, n, ran_ms)
VALUES (?1, ?2, iif(EXISTS (SELECT 1 FROM job_types WHERE name = ?3), ?3, ''), ?4, ?5, ?6)
ON CONFLICT (minute, queue, type, status)
DO UPDATE SET n = n + excluded.n, ran_ms = ran_ms + excluded.ran_ms;

-- name: add-total
-- Add to the jobs that ended, or to a bucket of waiting or running times.
INSERT INTO totals (measure, outcome, bucket, n, sum_ms) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (measure, outcome, bucket)
DO UPDATE SET n = n + excluded.n, sum_ms = sum_ms + excluded.sum_ms;

-- name: add-type-total
-- Add to the attempts of a type in a bucket of what they took; of one that is not described, to ''.
INSERT INTO type_totals (type, measure, outcome, bucket, n, total, most)
VALUES (iif(EXISTS (SELECT 1 FROM job_types WHERE name = ?1), ?1, ''), ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (type, measure, outcome, bucket)
DO UPDATE SET n = n + excluded.n, total = total + excluded.total, most = max(most, excluded.most);

-- name: type-totals
-- Read what all types cost.
SELECT type, measure, outcome, bucket, n, total, most FROM type_totals;

-- name: totals
-- Read the totals of one measure.
SELECT outcome, bucket, n, sum_ms FROM totals WHERE measure = ?;

-- name: counts
-- Read the number of jobs by queue and status.
SELECT queue, status, n FROM job_counts ORDER BY queue, status;

-- name: finished-since
-- Jobs that ended since a minute, by status.
SELECT status, sum(n) FROM finished_per_minute WHERE minute >= ? GROUP BY status;

-- name: done-since-by-queue
-- Jobs done since a minute, by queue and minute, and how long they ran.
SELECT queue, minute, sum(n), sum(ran_ms) FROM finished_per_minute
WHERE minute >= ? AND status = 'done' GROUP BY queue, minute ORDER BY queue, minute;

-- name: finished-since-by-type
-- Jobs that ended since a minute, by type and status.
SELECT type, status, sum(n) FROM finished_per_minute WHERE minute >= ? GROUP BY type, status;

-- name: ended-since-by-queue
-- Jobs that ended since a minute, by queue.
SELECT queue, sum(n) FROM finished_per_minute WHERE minute >= ? GROUP BY queue;

-- name: newest-ended
-- Of the newest jobs of a status that ended since a time, how many are of each queue, and when the
-- first and the last of them ended.
SELECT queue, count(*), min(finished_at_ms), max(finished_at_ms) FROM (
    SELECT queue, finished_at_ms FROM jobs INDEXED BY jobs_ended
    WHERE status = ? AND finished_at_ms >= ? ORDER BY finished_at_ms DESC LIMIT ?) AS newest
GROUP BY queue;

-- name: ran-since-by-queue
-- The same as `ended-since-by-queue` without cancelled jobs, which may not have run.
SELECT queue, sum(n) FROM finished_per_minute
WHERE minute >= ? AND status <> 'cancelled' GROUP BY queue;

-- name: last-ran-by-queue
-- The last minute, since one, in which a job of each queue ended that was not cancelled.
SELECT queue, max(minute) FROM finished_per_minute
WHERE minute >= ? AND status <> 'cancelled' GROUP BY queue;

-- name: newest-job
-- The greatest id.
SELECT max(id) FROM jobs;

-- name: first-job-from
-- The first job that has at least this id, and when it was submitted.
SELECT id, created_at_ms FROM jobs WHERE id >= ? ORDER BY id LIMIT 1;

-- name: newest-of-queue
-- How many jobs of a queue have at least this id, counted up to a number from the newest one back,
-- and the first and the last that were counted.
SELECT count(*), min(id), max(id) FROM (
    SELECT id FROM jobs INDEXED BY jobs_by_queue WHERE queue = ? AND id >= ?
    ORDER BY id DESC LIMIT ?) AS counted;

-- name: finished-by-minute
-- Jobs that ended since a minute, by minute and status, oldest first.
SELECT minute, status, sum(n) FROM finished_per_minute
WHERE minute >= ? GROUP BY minute, status ORDER BY minute;

-- name: latest-runs
-- When the newest jobs that ended were due, free to run, started and ended, from the newest events only.
-- An attempt whose worker died unseen ended before its job.
SELECT body ->> 'run_at_ms', body ->> 'freed_at_ms', body ->> 'started_at_ms',
    coalesce((
        SELECT finished_at_ms FROM ended_attempts
        WHERE kind = 'job.failed' AND ended_attempts.job_id = newest.job_id
            AND number = body ->> 'attempt'), body ->> 'finished_at_ms')
FROM (SELECT kind, job_id, body, seq FROM events ORDER BY seq DESC LIMIT 5000) AS newest
WHERE kind IN ('job.done', 'job.failed') ORDER BY seq DESC LIMIT 1000;

-- name: queues-with-due-jobs
-- The queues that have due jobs, with one probe of the index for each (a loose index scan).
WITH RECURSIVE found (queue) AS (
    SELECT min(queue) FROM jobs INDEXED BY jobs_due
    WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
    UNION ALL
    SELECT (
        SELECT min(queue) FROM jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue > found.queue)
    FROM found WHERE found.queue IS NOT NULL)
SELECT queue FROM found WHERE queue IS NOT NULL;

-- name: first-due
-- The head of a queue's due jobs: its highest priority and the earliest job in it.
SELECT priority, run_at_ms, freed_at_ms FROM jobs INDEXED BY jobs_due
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = ?
ORDER BY priority DESC, run_at_ms LIMIT 1;

-- name: first-due-below
-- The same below a priority.
SELECT priority, run_at_ms, freed_at_ms FROM jobs INDEXED BY jobs_due
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = ? AND priority < ?
ORDER BY priority DESC, run_at_ms LIMIT 1;

-- name: first-waiting
-- Since when one of the first due jobs of a queue and priority has waited for the longest time: the order
-- is that in which they were due, and some were freed later. Jobs behind one that was not freed later
-- have waited for less, so the walk ends with it, or after a number of jobs. A job that was due at
-- the given time or later has not waited for longer than that.
WITH never_later (run_at_ms) AS (
    SELECT run_at_ms FROM (
        SELECT run_at_ms, freed_at_ms FROM jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
            AND queue = ?1 AND priority = ?2 AND run_at_ms < ?3
        ORDER BY run_at_ms, id LIMIT ?4)
    WHERE coalesce(freed_at_ms, 0) <= run_at_ms LIMIT 1)
SELECT min(max(run_at_ms, coalesce(freed_at_ms, run_at_ms))) FROM (
    SELECT run_at_ms, freed_at_ms FROM jobs INDEXED BY jobs_due
    WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
        AND queue = ?1 AND priority = ?2 AND run_at_ms < ?3
        AND run_at_ms <= coalesce((SELECT run_at_ms FROM never_later), ?3)
    ORDER BY run_at_ms, id LIMIT ?4);

-- name: due-of-queues
-- How many jobs of each of a JSON list of queues are due: those that may be leased, and those that
-- wait for room of their key, each counted up to a number.
SELECT value, (
    SELECT count(*) FROM (
        SELECT 1 FROM jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = value
        LIMIT ?2) AS free) + (
    SELECT count(*) FROM (
        SELECT 1 FROM jobs INDEXED BY jobs_parked
        WHERE is_parked = 1 AND queue = value
        LIMIT ?2) AS parked)
FROM json_each(?1) AS one;

-- name: queues-with-parked-jobs
-- The queues some of whose jobs wait for room of their key, in the same way.
WITH RECURSIVE found (queue) AS (
    SELECT min(queue) FROM jobs INDEXED BY jobs_parked
    WHERE is_parked = 1
    UNION ALL
    SELECT (
        SELECT min(queue) FROM jobs INDEXED BY jobs_parked
        WHERE is_parked = 1 AND queue > found.queue)
    FROM found WHERE found.queue IS NOT NULL)
SELECT queue FROM found WHERE queue IS NOT NULL;

-- name: first-parked
-- Since when one of the jobs of a queue that wait for room of their key has waited for the longest time:
-- of a bounded number of them, the first are looked at, as some may have been freed later.
SELECT min(max(jobs.run_at_ms, coalesce(freed_at_ms, jobs.run_at_ms))) FROM (
    SELECT id FROM (
        SELECT id, run_at_ms FROM jobs INDEXED BY jobs_parked
        WHERE is_parked = 1 AND queue = ?1 LIMIT ?2) AS parked
    ORDER BY run_at_ms LIMIT ?3) AS first
CROSS JOIN jobs ON jobs.id = first.id;

-- name: scheduled-by-queue
-- Of the first jobs of all queues that wait for their time: by queue, those whose time has come, and
-- when the next one's comes.
SELECT queue, count(*) FILTER (WHERE run_at_ms <= ?1),
    min(run_at_ms) FILTER (WHERE run_at_ms > ?1)
FROM (
    SELECT queue, run_at_ms FROM jobs INDEXED BY jobs_scheduled
    WHERE status = 'pending' AND is_due = 0 ORDER BY run_at_ms LIMIT ?2) AS first
GROUP BY queue;

-- name: only-failed
-- The types whose jobs that ended since a minute all failed, and how often: if at least so often,
-- and if a job is still failed for another reason than a dependency.
SELECT type, failed
FROM (
    SELECT type, sum(n) FILTER (WHERE status = 'failed') AS failed
    FROM finished_per_minute WHERE minute >= ?1 AND type <> ''
    GROUP BY type HAVING coalesce(sum(n) FILTER (WHERE status = 'done'), 0) = 0) AS ended
WHERE failed >= ?2
    AND (EXISTS (
        SELECT 1 FROM jobs INDEXED BY jobs_failed
        WHERE status = 'failed' AND jobs.type = ended.type AND error_type < 'DependencyFailed')
    OR EXISTS (
        SELECT 1 FROM jobs INDEXED BY jobs_failed
        WHERE status = 'failed' AND jobs.type = ended.type AND error_type > 'DependencyFailed'));
