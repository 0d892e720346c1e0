-- name: by-contains
-- This and the next two are conditions of `entries`: the text of a pattern is in who did it.
by LIKE ? ESCAPE '\'

-- name: text-contains
-- The text of a pattern is in the target or in the reason.
target LIKE ? ESCAPE '\' OR reason LIKE ? ESCAPE '\'

-- name: begins-with
-- The target begins with the words of a pattern. A comma belongs to no word.
replace(target, ',', '') || ' ' LIKE ? ESCAPE '\'

-- name: jobs-of
-- Those of a JSON list of jobs that an action has changed already.
SELECT job_id FROM json_each(?) CROSS JOIN audit_jobs ON job_id = value WHERE audit_id = ?;
