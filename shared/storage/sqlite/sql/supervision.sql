-- name: put-request
-- An operator asks something of the supervisor.
INSERT INTO requests (at_ms, action, target, workers) VALUES (?, ?, ?, ?);

-- name: any-request
-- Whether there is one to take; the write lock is asked for only then.
SELECT 1 FROM requests LIMIT 1;

-- name: take-requests
-- Every request, which is the supervisor's from here on.
DELETE FROM requests RETURNING id, action, target, workers;

-- name: is-waiting
-- Whether the supervisor has not taken this request yet.
SELECT 1 FROM requests WHERE id = ?;

-- name: clear-requests
-- What was asked of an earlier supervisor.
DELETE FROM requests;

-- name: clear-exit-counts
-- What an earlier supervisor counted.
DELETE FROM exit_counts;

-- name: clear-gauges
-- What an earlier supervisor measured.
DELETE FROM supervisor_gauges;

-- name: count-exit
-- One more life of a slot ended for this cause.
INSERT INTO exit_counts (slot, cause, n) VALUES (?, ?, 1)
ON CONFLICT (slot, cause) DO UPDATE SET n = n + 1;

-- name: exit-counts
-- How often lives ended, by slot and cause.
SELECT slot, cause, n FROM exit_counts ORDER BY slot, cause;

-- name: put-gauge
-- What the supervisor measures of itself.
INSERT OR REPLACE INTO supervisor_gauges (name, value) VALUES (?, ?);

-- name: gauges
-- Every figure the supervisor keeps of itself.
SELECT name, value FROM supervisor_gauges ORDER BY name;
