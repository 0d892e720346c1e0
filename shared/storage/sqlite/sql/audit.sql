-- name: record
-- What an operator did.
INSERT INTO audit (at_ms, action, target, by, reason, count) VALUES (?, ?, ?, ?, ?, ?);

-- name: add-count
-- What a further step of the same action changed.
UPDATE audit SET count = count + ? WHERE id = ?;

-- name: page
-- Operators' actions, newest first.
SELECT id, at_ms, action, target, by, reason, count FROM audit
WHERE id < ? ORDER BY id DESC LIMIT ?;

