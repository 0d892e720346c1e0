-- name: finished-since
-- Jobs that ended since a minute, by status.
SELECT status, CAST(sum(n) AS bigint) FROM orpheus.finished_per_minute WHERE minute >= ? GROUP BY status;

-- name: done-since-by-queue
-- Jobs done since a minute, by queue and minute, and how long they ran.
SELECT queue, minute, CAST(sum(n) AS bigint), CAST(sum(ran_ms) AS bigint) FROM orpheus.finished_per_minute
WHERE minute >= ? AND status = 'done' GROUP BY queue, minute ORDER BY queue, minute;

-- name: finished-since-by-type
-- Jobs that ended since a minute, by type and status.
SELECT type, status, CAST(sum(n) AS bigint) FROM orpheus.finished_per_minute WHERE minute >= ?
GROUP BY type, status;

-- name: ended-since-by-queue
-- Jobs that ended since a minute, by queue.
SELECT queue, CAST(sum(n) AS bigint) FROM orpheus.finished_per_minute WHERE minute >= ? GROUP BY queue;

-- name: newest-ended
-- Of the newest jobs of a status that ended since a time, how many are of each queue, and when the
-- first and the last of them ended.
SELECT queue, count(*), min(finished_at_ms), max(finished_at_ms) FROM (
    SELECT queue, finished_at_ms FROM orpheus.jobs INDEXED BY jobs_ended
    WHERE status = ? AND finished_at_ms >= ? ORDER BY finished_at_ms DESC LIMIT ?) AS newest
GROUP BY queue;

-- name: ran-since-by-queue
-- The same as `ended-since-by-queue` without cancelled jobs, which may not have run.
SELECT queue, CAST(sum(n) AS bigint) FROM orpheus.finished_per_minute
WHERE minute >= ? AND status <> 'cancelled' GROUP BY queue;

-- name: last-ran-by-queue
-- The last minute, since one, in which a job of each queue ended that was not cancelled.
SELECT queue, max(minute) FROM orpheus.finished_per_minute
WHERE minute >= ? AND status <> 'cancelled' GROUP BY queue;

-- name: newest-job
-- The greatest id.
SELECT max(id) FROM orpheus.jobs;

-- name: first-job-from
-- The first job that has at least this id, and when it was submitted.
SELECT id, created_at_ms FROM orpheus.jobs WHERE id >= ? ORDER BY id LIMIT 1;

-- name: newest-of-queue
-- How many jobs of a queue have at least this id, counted up to a number from the newest one back,
-- and the first and the last that were counted.
SELECT count(*), min(id), max(id) FROM (
    SELECT id FROM orpheus.jobs INDEXED BY jobs_by_queue WHERE queue = ? AND id >= ?
    ORDER BY id DESC LIMIT ?) AS counted;

-- name: finished-by-minute
-- Jobs that ended since a minute, by minute and status, oldest first.
SELECT minute, status, CAST(sum(n) AS bigint) FROM orpheus.finished_per_minute
WHERE minute >= ? GROUP BY minute, status ORDER BY minute;

-- name: queues-with-due-jobs
-- The queues that have due jobs, with one probe of the index for each (a loose index scan).
WITH RECURSIVE found (queue) AS (
    SELECT min(queue) FROM orpheus.jobs INDEXED BY jobs_due
    WHERE status = 'pending' AND is_due = 1 AND is_parked = 0
    UNION ALL
    SELECT (
        SELECT min(queue) FROM orpheus.jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue > found.queue)
    FROM found WHERE found.queue IS NOT NULL)
SELECT queue FROM found WHERE queue IS NOT NULL;

-- name: first-due
-- The head of a queue's due jobs: its highest priority and the earliest job in it.
SELECT priority, run_at_ms, freed_at_ms FROM orpheus.jobs INDEXED BY jobs_due
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = ?
ORDER BY priority DESC, run_at_ms LIMIT 1;

-- name: first-due-below
-- The same below a priority.
SELECT priority, run_at_ms, freed_at_ms FROM orpheus.jobs INDEXED BY jobs_due
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = ? AND priority < ?
ORDER BY priority DESC, run_at_ms LIMIT 1;

-- name: queues-with-parked-jobs
-- The queues some of whose jobs wait for room of their key, in the same way.
WITH RECURSIVE found (queue) AS (
    SELECT min(queue) FROM orpheus.jobs INDEXED BY jobs_parked
    WHERE is_parked = 1
    UNION ALL
    SELECT (
        SELECT min(queue) FROM orpheus.jobs INDEXED BY jobs_parked
        WHERE is_parked = 1 AND queue > found.queue)
    FROM found WHERE found.queue IS NOT NULL)
SELECT queue FROM found WHERE queue IS NOT NULL;

-- name: first-parked
-- Since when one of the jobs of a queue that wait for room of their key has waited for the longest time:
-- of a bounded number of them, the first are looked at, as some may have been freed later.
SELECT min(CASE WHEN freed_at_ms > run_at_ms THEN freed_at_ms ELSE run_at_ms END) FROM (
    SELECT id FROM (
        SELECT id, run_at_ms FROM orpheus.jobs INDEXED BY jobs_parked
        WHERE is_parked = 1 AND queue = ?1 LIMIT ?2) AS parked
    ORDER BY run_at_ms LIMIT ?3) AS first
CROSS JOIN orpheus.jobs ON jobs.id = first.id;

-- name: scheduled-by-queue
-- Of the first jobs of all queues that wait for their time: by queue, those whose time has come, and
-- when the next one's comes.
SELECT queue, count(*) FILTER (WHERE run_at_ms <= ?1),
    min(run_at_ms) FILTER (WHERE run_at_ms > ?1)
FROM (
    SELECT queue, run_at_ms FROM orpheus.jobs INDEXED BY jobs_scheduled
    WHERE status = 'pending' AND is_due = 0 ORDER BY run_at_ms LIMIT ?2) AS first
GROUP BY queue;

-- name: only-failed
-- The types whose jobs that ended since a minute all failed, and how often: if at least so often,
-- and if a job is still failed for another reason than a dependency.
SELECT type, failed
FROM (
    SELECT type, CAST(sum(n) FILTER (WHERE status = 'failed') AS bigint) AS failed
    FROM orpheus.finished_per_minute WHERE minute >= ?1 AND type <> ''
    GROUP BY type HAVING coalesce(sum(n) FILTER (WHERE status = 'done'), 0) = 0) AS ended
WHERE failed >= ?2
    AND (EXISTS (
        SELECT 1 FROM orpheus.jobs INDEXED BY jobs_failed
        WHERE status = 'failed' AND jobs.type = ended.type AND error_type < 'DependencyFailed')
    OR EXISTS (
        SELECT 1 FROM orpheus.jobs INDEXED BY jobs_failed
        WHERE status = 'failed' AND jobs.type = ended.type AND error_type > 'DependencyFailed'));
