-- name: record
-- Record the action of an operator.
INSERT INTO audit (at_ms, action, target, by, reason, count) VALUES (?, ?, ?, ?, ?, ?);

-- name: add-count
-- Add the jobs that a further transaction of the same action changed.
UPDATE audit SET count = count + ? WHERE id = ?;

-- name: page
-- Actions of operators, newest first.
SELECT id, at_ms, action, target, by, reason, count FROM audit
WHERE id < ? ORDER BY id DESC LIMIT ?;

-- name: has
-- Whether an entry is that of a certain action.
SELECT 1 FROM audit WHERE id = ? AND action = ? AND target = ? AND by = ?;

-- name: count-of
-- How many jobs an action has changed.
SELECT count FROM audit WHERE id = ?;

-- name: add-jobs
-- Remember which jobs an action changed that was one of many.
INSERT INTO audit_jobs (audit_id, job_id) SELECT ?, value FROM json_each(?);

-- name: jobs-of
-- Those of a JSON list of jobs that an action has changed already.
SELECT job_id FROM json_each(?) CROSS JOIN audit_jobs ON job_id = value WHERE audit_id = ?;

-- name: page-of-job
-- What operators did to a job, newest first: to it alone, or to many.
SELECT id, at_ms, action, target, by, reason, count FROM (
    SELECT id, at_ms, action, target, by, reason, count FROM audit WHERE target = ? AND id < ?
    UNION ALL
    SELECT id, at_ms, action, target, by, reason, count
    FROM audit_jobs CROSS JOIN audit ON audit.id = audit_jobs.audit_id
    WHERE audit_jobs.job_id = ? AND audit_jobs.audit_id < ?) AS done
ORDER BY id DESC LIMIT ?;
