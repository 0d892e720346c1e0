-- name: in-flight
-- The rows of an outbox that are jobs already and may not be deleted yet. `place` is the digest of
-- their table.
SELECT in_flight FROM orpheus.outboxes WHERE name = ? AND place = ?;

-- name: remember
-- Remember the rows of one batch, and count them.
INSERT INTO orpheus.outboxes (name, place, in_flight, accepted, held, refused)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (name, place) DO UPDATE SET
    in_flight = excluded.in_flight,
    accepted = outboxes.accepted + excluded.accepted,
    held = outboxes.held + excluded.held,
    refused = outboxes.refused + excluded.refused;

-- name: forget
-- Forget the rows of the last batch: they are deleted.
UPDATE orpheus.outboxes SET in_flight = '[]' WHERE name = ? AND place = ?;

-- name: counts
-- How many rows of each outbox became jobs, had the unique key of a live one, and were refused, in all
-- its tables.
SELECT name, CAST(sum(accepted) AS bigint), CAST(sum(held) AS bigint), CAST(sum(refused) AS bigint)
FROM orpheus.outboxes GROUP BY name ORDER BY name;
