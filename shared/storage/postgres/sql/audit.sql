-- name: record
-- Record the action of an operator.
INSERT INTO orpheus.audit (at_ms, action, target, by, reason, count) VALUES (?, ?, ?, ?, ?, ?);

-- name: add-count
-- Add the jobs that a further transaction of the same action changed.
UPDATE orpheus.audit SET count = count + ? WHERE id = ?;

-- name: page
-- Actions of operators, newest first.
SELECT id, at_ms, action, target, by, reason, count FROM orpheus.audit
WHERE id < ? ORDER BY id DESC LIMIT ?;

-- name: has
-- Whether an entry is that of a certain action.
SELECT 1 FROM orpheus.audit WHERE id = ? AND action = ? AND target = ? AND by = ?;

-- name: count-of
-- How many jobs an action has changed.
SELECT count FROM orpheus.audit WHERE id = ?;

-- name: add-jobs
-- Remember which jobs an action changed that was one of many.
INSERT INTO orpheus.audit_jobs (audit_id, job_id) SELECT ?::bigint, one::bigint FROM json_array_elements_text(?::json) AS one;

-- name: jobs-of
-- Those of a JSON list of jobs that an action has changed already.
SELECT job_id FROM orpheus.audit_jobs
WHERE job_id IN (SELECT one::bigint FROM json_array_elements_text(?::json) AS one) AND audit_id = ?;

-- name: page-of-job
-- What operators did to a job, newest first: to it alone, or to many.
SELECT id, at_ms, action, target, by, reason, count FROM (
    SELECT id, at_ms, action, target, by, reason, count FROM orpheus.audit WHERE target = ? AND id < ?
    UNION ALL
    SELECT id, at_ms, action, target, by, reason, count
    FROM orpheus.audit_jobs JOIN orpheus.audit ON audit.id = audit_jobs.audit_id
    WHERE audit_jobs.job_id = ? AND audit_jobs.audit_id < ?) AS done
ORDER BY id DESC LIMIT ?;
