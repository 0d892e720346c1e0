-- name: by-contains
-- This and the next two are conditions of `entries`: the text of a pattern is in who did it.
by ILIKE ?

-- name: text-contains
-- The text of a pattern is in the target or in the reason.
target ILIKE ? OR reason ILIKE ?

-- name: begins-with
-- The target begins with the words of a pattern. A comma belongs to no word.
replace(target, ',', '') || ' ' ILIKE ?

-- name: jobs-of
-- Those of a JSON list of jobs that an action has changed already.
SELECT job_id FROM orpheus.audit_jobs
WHERE job_id IN (SELECT one::bigint FROM json_array_elements_text(?::json) AS one) AND audit_id = ?;
