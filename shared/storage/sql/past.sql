-- name: figures-of
-- The figures of a minute or an hour.
SELECT figures FROM orpheus.past WHERE step_s = ? AND at_s = ?;

-- name: put-figures
-- Store the figures of a minute or an hour.
INSERT INTO orpheus.past (step_s, at_s, figures) VALUES (?, ?, ?)
ON CONFLICT (step_s, at_s) DO UPDATE SET figures = excluded.figures;

-- name: figures-between
-- The figures of the minutes or hours that begin in a span of time, oldest first.
SELECT at_s, figures FROM orpheus.past WHERE step_s = ? AND at_s >= ? AND at_s < ? ORDER BY at_s;

-- name: oldest-figures
-- The beginning of the first minute or hour.
SELECT min(at_s) FROM orpheus.past WHERE step_s = ?;

-- name: delete-figures
-- Delete the minutes or hours before a time.
DELETE FROM orpheus.past WHERE step_s = ? AND at_s < ?;

-- name: oldest-total
-- The first minute whose totals are not in the figures.
SELECT min(minute) FROM orpheus.type_totals WHERE minute > 0;

-- name: take-totals
-- Delete the totals before a minute that are not in the figures, and return them.
DELETE FROM orpheus.type_totals WHERE minute > 0 AND minute < ?
RETURNING minute, queue, type, measure, outcome, bucket, n, total, most;

-- name: add-finished
-- Add to the jobs of a queue and type that ended in a minute, and to how long those that are done ran.
INSERT INTO orpheus.finished_per_minute (minute, queue, type, status, n, ran_ms)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (minute, queue, type, status) DO UPDATE
SET n = finished_per_minute.n + excluded.n, ran_ms = finished_per_minute.ran_ms + excluded.ran_ms;

-- name: last-of-new
-- The last of the next jobs after an id that was submitted before a time: others may still be committed.
SELECT max(id) FROM (
    SELECT id, created_at_ms FROM orpheus.jobs WHERE id > ? ORDER BY id LIMIT ?) AS new
WHERE created_at_ms < ?;

-- name: submitted
-- How many jobs with an id in that range were submitted, by minute, queue and type. A type that is not
-- described is ''.
SELECT minute, new.queue, coalesce(job_types.name, ''), CAST(sum(n) AS bigint)
FROM (
    SELECT created_at_ms / 60000 AS minute, queue, type, count(*) AS n
    FROM orpheus.jobs WHERE id > ? AND id <= ? GROUP BY minute, queue, type) AS new
    LEFT JOIN orpheus.job_types ON job_types.name = new.type AND is_newest = 1
GROUP BY minute, new.queue, coalesce(job_types.name, '');
