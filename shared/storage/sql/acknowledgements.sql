-- name: put
-- Acknowledge a problem; what was said of it before is replaced.
INSERT INTO orpheus.acknowledgements (code, subject, until_ms, by, reason, severity, size)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (code, subject) DO UPDATE SET until_ms = excluded.until_ms, by = excluded.by,
    reason = excluded.reason, severity = excluded.severity, size = excluded.size;

-- name: withdraw
-- Withdraw the acknowledgement of a problem.
DELETE FROM orpheus.acknowledgements WHERE code = ? AND subject = ?;

-- name: delete-old
-- Delete the acknowledgements whose time is over.
DELETE FROM orpheus.acknowledgements WHERE until_ms <= ?;

-- name: standing
-- The acknowledgements whose time is not over.
SELECT code, subject, until_ms, by, reason, severity, size
FROM orpheus.acknowledgements WHERE until_ms > ?;
