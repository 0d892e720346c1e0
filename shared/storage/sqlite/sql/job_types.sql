-- name: remove-all
-- Before the whole set is written anew.
DELETE FROM job_types;

-- name: insert-type
-- One job type.
INSERT INTO job_types (name, schema, max_retries, timeout_s, queue, description)
VALUES (?, ?, ?, ?, ?, ?);

-- name: get-type
-- The job type of a name.
SELECT name, schema, max_retries, timeout_s, queue, description FROM job_types WHERE name = ?;

-- name: all-types
-- Every job type, by name.
SELECT name, schema, max_retries, timeout_s, queue, description FROM job_types ORDER BY name;
