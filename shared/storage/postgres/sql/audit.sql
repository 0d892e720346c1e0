-- name: record
-- Record the action of an operator.
INSERT INTO orpheus.audit (at_ms, action, target, by, reason, count) VALUES (?, ?, ?, ?, ?, ?);

-- name: add-count
-- Add the jobs that a further transaction of the same action changed.
UPDATE orpheus.audit SET count = count + ? WHERE id = ?;

-- name: page
-- Actions of operators, newest first.
SELECT id, at_ms, action, target, by, reason, count FROM orpheus.audit
WHERE id < ? ORDER BY id DESC LIMIT ?;

-- name: has
-- Whether an entry is that of a certain action.
SELECT 1 FROM orpheus.audit WHERE id = ? AND action = ? AND target = ? AND by = ?;

-- name: count-of
-- How many jobs an action has changed.
SELECT count FROM orpheus.audit WHERE id = ?;
