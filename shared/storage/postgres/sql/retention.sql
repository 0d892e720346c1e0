-- name: oldest-event
-- The first event from a seq on: before it are only rows that were deleted, of which many may be left in
-- the indexes.
SELECT before_seq + position FROM orpheus.event_batches JOIN orpheus.event_rows USING (batch)
WHERE last_seq >= ?1 AND before_seq + position >= ?1 ORDER BY last_seq, position LIMIT 1;

-- name: event-time
-- When an event was written.
SELECT at_ms FROM orpheus.event_rows JOIN (
    SELECT batch, before_seq FROM orpheus.event_batches WHERE last_seq >= ?1 ORDER BY last_seq LIMIT 1
) AS its USING (batch)
WHERE position = ?1 - before_seq;

-- name: delete-events
-- Delete the events from a seq up to another, and the batches that have none left. Without the first, the
-- scan begins with all the rows that were deleted before and that no vacuum has removed yet: ever more of
-- them under a steady load.
WITH deleted AS (
    DELETE FROM orpheus.event_rows USING orpheus.event_batches
    WHERE event_rows.batch = event_batches.batch AND last_seq >= ?1 AND last_seq <= (
        SELECT last_seq FROM orpheus.event_batches WHERE last_seq >= ?2 ORDER BY last_seq LIMIT 1)
        AND position >= ?1 - before_seq AND position <= ?2 - before_seq)
DELETE FROM orpheus.event_batches WHERE last_seq >= ?1 AND last_seq <= ?2;
