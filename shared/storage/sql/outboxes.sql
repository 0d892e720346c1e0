-- name: last-batch
-- The number of the last batch of an outbox, and its rows, which are jobs and may not be deleted yet.
-- `place` is the digest of their table.
SELECT batch, in_flight FROM orpheus.outboxes WHERE name = ? AND place = ?;

-- name: remember
-- Remember the rows of the next batch after ?3, and count them; nothing if another came after that.
INSERT INTO orpheus.outboxes (name, place, batch, in_flight, accepted, held, refused)
VALUES (?1, ?2, ?3 + 1, ?4, ?5, ?6, ?7)
ON CONFLICT (name, place) DO UPDATE SET
    batch = excluded.batch,
    in_flight = excluded.in_flight,
    accepted = outboxes.accepted + excluded.accepted,
    held = outboxes.held + excluded.held,
    refused = outboxes.refused + excluded.refused
WHERE outboxes.batch = ?3;

-- name: forget
-- Forget the rows of a batch: they are deleted.
UPDATE orpheus.outboxes SET in_flight = '[]' WHERE name = ? AND place = ? AND batch = ?;

-- name: counts
-- How many rows of each outbox became jobs, had the unique key of a live one, and were refused, in all
-- its tables.
SELECT name, CAST(sum(accepted) AS bigint), CAST(sum(held) AS bigint), CAST(sum(refused) AS bigint)
FROM orpheus.outboxes GROUP BY name ORDER BY name;
