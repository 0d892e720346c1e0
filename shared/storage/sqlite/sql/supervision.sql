-- name: put-request
-- Store a request of an operator to the supervisor.
INSERT INTO requests (at_ms, action, target, workers) VALUES (?, ?, ?, ?);

-- name: any-request
-- Is there a request? The write lock is taken only then.
SELECT 1 FROM requests LIMIT 1;

-- name: take-requests
-- Delete and return every request: the supervisor has taken them.
DELETE FROM requests RETURNING id, action, target, workers;

-- name: is-waiting
-- Whether the supervisor has not taken this request yet.
SELECT 1 FROM requests WHERE id = ?;

-- name: clear-requests
-- Delete the requests to an earlier supervisor.
DELETE FROM requests;

-- name: clear-exit-counts
-- Delete what an earlier supervisor counted.
DELETE FROM exit_counts;

-- name: clear-gauges
-- Delete what an earlier supervisor measured.
DELETE FROM supervisor_gauges;

-- name: count-exit
-- Count that a process of a slot ended for this cause.
INSERT INTO exit_counts (slot, cause, n) VALUES (?, ?, 1)
ON CONFLICT (slot, cause) DO UPDATE SET n = n + 1;

-- name: exit-counts
-- How often processes ended, by slot and cause.
SELECT slot, cause, n FROM exit_counts ORDER BY slot, cause;

-- name: put-gauge
-- Store a figure that the supervisor measured of itself.
INSERT OR REPLACE INTO supervisor_gauges (name, value) VALUES (?, ?);

-- name: gauges
-- Every figure that the supervisor measured of itself.
SELECT name, value FROM supervisor_gauges ORDER BY name;
