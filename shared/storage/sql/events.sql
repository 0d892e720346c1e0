-- name: events-of-job
-- The events of one job, oldest first.
SELECT seq, at_ms, kind, job_id, body FROM orpheus.events WHERE job_id = ? AND seq > ? ORDER BY seq LIMIT ?;

-- name: oldest-seq
-- The oldest event that is still kept.
SELECT seq FROM orpheus.events ORDER BY seq LIMIT 1;
