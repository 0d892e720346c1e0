-- name: lead
-- Become the leader, or stay it: only if the one before has left or let its time pass.
INSERT INTO orpheus.leader (only_row, host, incarnation, expires_ms)
VALUES (1, :host, :incarnation, :expires_ms)
ON CONFLICT (only_row) DO UPDATE SET
    host = excluded.host, incarnation = excluded.incarnation, expires_ms = excluded.expires_ms
WHERE leader.incarnation = excluded.incarnation OR leader.expires_ms <= :now_ms
RETURNING 1;

-- name: resign
-- Let another process lead at once.
DELETE FROM orpheus.leader WHERE incarnation = ?;
