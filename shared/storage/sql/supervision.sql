-- name: put-request
-- Store a request of an operator to the supervisor of a host.
INSERT INTO orpheus.requests (at_ms, action, host, target, workers) VALUES (?, ?, ?, ?, ?);

-- name: any-request
-- Is there a request to the supervisor of this host? A transaction is begun only then.
SELECT 1 FROM orpheus.requests WHERE host = ? LIMIT 1;

-- name: take-requests
-- Delete and return every request to this host: its supervisor has taken them.
DELETE FROM orpheus.requests WHERE host = ? RETURNING id, at_ms, action, host, target, workers;

-- name: is-waiting
-- Whether the supervisor has not taken this request yet.
SELECT 1 FROM orpheus.requests WHERE id = ?;

-- name: put-answer
-- Store the answer to a request of another host.
INSERT INTO orpheus.answers (request_id, at_ms, body) VALUES (?, ?, ?);

-- name: delete-old-answers
-- Delete the answers that were stored before a time: who has asked has read them, or has given up.
DELETE FROM orpheus.answers WHERE at_ms < ?;

-- name: answer
-- The answer to a request.
SELECT body FROM orpheus.answers WHERE request_id = ?;

-- name: clear-requests
-- Delete the requests to an earlier supervisor of a host; NULL: of every host.
DELETE FROM orpheus.requests WHERE host = coalesce(?, host);

-- name: clear-exit-counts
-- Delete what an earlier supervisor of a host counted; NULL: of every host.
DELETE FROM orpheus.exit_counts WHERE host = coalesce(?, host);

-- name: clear-gauges
-- Delete what an earlier supervisor of a host measured; NULL: of every host.
DELETE FROM orpheus.supervisor_gauges WHERE host = coalesce(?, host);

-- name: count-exit
-- Count that a process of a slot ended for this cause.
INSERT INTO orpheus.exit_counts (host, slot, cause, n) VALUES (?, ?, ?, 1)
ON CONFLICT (host, slot, cause) DO UPDATE SET n = exit_counts.n + 1;

-- name: exit-counts
-- How often processes of a host ended, by slot and cause.
SELECT slot, cause, n FROM orpheus.exit_counts WHERE host = ? ORDER BY slot, cause;

-- name: put-gauge
-- Store a figure that the supervisor of a host measured of itself.
INSERT INTO orpheus.supervisor_gauges (host, name, value) VALUES (?, ?, ?)
ON CONFLICT (host, name) DO UPDATE SET value = excluded.value;

-- name: gauges
-- Every figure that the supervisor of a host measured of itself.
SELECT name, value FROM orpheus.supervisor_gauges WHERE host = ? ORDER BY name;
