-- name: seen
-- The events of some kinds in a range, in order.
SELECT seq, at_ms, kind, body FROM events
WHERE seq > ? AND seq <= ? AND kind IN (SELECT value FROM {listed-names} AS wanted) ORDER BY seq;
