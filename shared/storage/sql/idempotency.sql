-- name: find-key
-- Read the answer to an Idempotency-Key.
SELECT request_hash, status, body, location FROM orpheus.idempotency_keys
WHERE key = ? AND created_at_ms > ?;

-- name: keep-key
-- Store the answer to an Idempotency-Key.
INSERT INTO orpheus.idempotency_keys (key, request_hash, status, body, location, created_at_ms)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
    request_hash = excluded.request_hash, status = excluded.status, body = excluded.body,
    location = excluded.location, created_at_ms = excluded.created_at_ms;
