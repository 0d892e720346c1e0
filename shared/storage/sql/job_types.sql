-- name: remove-all
-- Delete all, before the set is replaced.
DELETE FROM orpheus.job_types;

-- name: insert-type
-- Insert one job type.
INSERT INTO orpheus.job_types (name, schema, max_retries, timeout_s, queue, description,
    backoff_base_s, backoff_factor, backoff_max_s, backoff_jitter, code,
    code_since_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- part: type-columns
-- The fields of TypeRow (shared/storage/data.py).
name, schema, max_retries, timeout_s, queue, description,
    backoff_base_s, backoff_factor, backoff_max_s, backoff_jitter, code

-- name: get-type
-- Read one job type.
SELECT {type-columns} FROM orpheus.job_types WHERE name = ?;

-- name: backoff-of-job
-- What the type of a job says of its backoff.
SELECT backoff_base_s, backoff_factor, backoff_max_s, backoff_jitter
FROM orpheus.job_types WHERE name = (SELECT type FROM orpheus.jobs WHERE id = ?);

-- name: all-types
-- Every job type, by name.
SELECT {type-columns} FROM orpheus.job_types ORDER BY name;

-- name: codes
-- The digest of each type's code, and since when it is that.
SELECT name, code, code_since_ms FROM orpheus.job_types;
