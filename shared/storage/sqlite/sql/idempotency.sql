-- name: find-key
-- The answer that an Idempotency-Key got.
SELECT request_hash, status, body, location FROM idempotency_keys
WHERE key = ? AND created_at_ms > ?;

-- name: keep-key
-- The answer that an Idempotency-Key gets from now on.
INSERT OR REPLACE INTO idempotency_keys (key, request_hash, status, body, location, created_at_ms)
VALUES (?, ?, ?, ?, ?, ?);
