-- name: record
-- Record the action of an operator.
INSERT INTO orpheus.audit (at_ms, action, target, by, reason, count, before, after)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: add-count
-- Add the jobs that a further transaction of the same action changed.
UPDATE orpheus.audit SET count = count + ? WHERE id = ?;

-- part: entry-columns
-- The fields of AuditRow (shared/storage/data.py).
id, at_ms, action, target, by, reason, count, before, after

-- name: entries
-- What operators did, below an id, newest first.
SELECT {entry-columns} FROM orpheus.audit WHERE id < ? ORDER BY id DESC LIMIT ?;

-- name: add-jobs
-- Remember which jobs an action changed that was one of many.
INSERT INTO orpheus.audit_jobs (audit_id, job_id) SELECT ?, value FROM {listed-ids} AS changed;

-- name: entries-of-job
-- What operators did to a job, to it alone or to many, below an id, newest first.
SELECT {entry-columns} FROM (
    SELECT * FROM orpheus.audit WHERE target = ? AND id < ?
    UNION ALL
    SELECT audit.* FROM orpheus.audit_jobs CROSS JOIN orpheus.audit ON audit.id = audit_jobs.audit_id
    WHERE audit_jobs.job_id = ? AND audit_jobs.audit_id < ?) AS done
ORDER BY id DESC LIMIT ?;

-- name: to-target
-- Each time that somebody did this to a target, since a time.
SELECT {entry-columns} FROM orpheus.audit INDEXED BY audit_by_target
WHERE target = ? AND action = ? AND at_ms >= ? ORDER BY id;
