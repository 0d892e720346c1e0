-- name: find-key
-- Read the answer to an Idempotency-Key.
SELECT request_hash, status, body, location FROM idempotency_keys
WHERE key = ? AND created_at_ms > ?;

-- name: keep-key
-- Store the answer to an Idempotency-Key.
INSERT OR REPLACE INTO idempotency_keys (key, request_hash, status, body, location, created_at_ms)
VALUES (?, ?, ?, ?, ?, ?);
