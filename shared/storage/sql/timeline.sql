-- name: note
-- Note something that happened, until a time.
INSERT INTO orpheus.timeline (at_ms, kind, body, kept_until_ms) VALUES (?, ?, ?, ?);

-- name: happened
-- What happened; a WHERE follows.
SELECT at_ms, id, kind, body FROM orpheus.timeline

-- name: operators-did
-- What operators did; a WHERE follows.
SELECT id, at_ms, action, target, by, reason, count, before, after FROM orpheus.audit

-- name: text-in-happened
-- A condition of `happened`: the text of a pattern is in it.
(kind {matches} OR body {matches})

-- name: text-in-did
-- A condition of `operators-did`: the text of a pattern is in it.
(action {matches} OR target {matches} OR by {matches} OR reason {matches})

-- name: any-outlived
-- Is there something that was to be kept until before a time?
SELECT 1 FROM orpheus.timeline WHERE kept_until_ms < ? LIMIT 1;

-- name: delete-outlived
-- Delete some of it.
DELETE FROM orpheus.timeline WHERE id IN (
    SELECT id FROM orpheus.timeline WHERE kept_until_ms < ? ORDER BY kept_until_ms LIMIT ?);
