-- name: remove-all
-- Delete all, before the set is replaced.
DELETE FROM job_types;

-- name: insert-type
-- Insert one job type.
INSERT INTO job_types (name, schema, max_retries, timeout_s, queue, description)
VALUES (?, ?, ?, ?, ?, ?);

-- name: get-type
-- Read one job type.
SELECT name, schema, max_retries, timeout_s, queue, description FROM job_types WHERE name = ?;

-- name: all-types
-- Every job type, by name.
SELECT name, schema, max_retries, timeout_s, queue, description FROM job_types ORDER BY name;
