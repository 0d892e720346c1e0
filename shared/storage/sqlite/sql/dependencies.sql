-- name: mark-dependents
-- Mark the jobs that these new jobs wait for, so that their dependents are looked up when they end.
UPDATE jobs SET has_dependents = 1
WHERE has_dependents = 0 AND id IN (
    SELECT depends_on FROM job_dependencies WHERE job_id IN (SELECT value FROM json_each(?)));
