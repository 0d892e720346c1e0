-- name: oldest-event
-- The first event from a seq on: before it are only rows that were deleted, of which many may be left in
-- the index.
SELECT seq FROM events WHERE seq >= ? ORDER BY seq LIMIT 1;

-- name: event-time
-- When an event was written.
SELECT at_ms FROM events WHERE seq = ?;

-- name: delete-events
-- Delete the events from a seq up to another. Without the first, the scan begins with all the rows that were
-- deleted before and that no vacuum has removed yet: ever more of them under a steady load.
DELETE FROM events WHERE seq >= ? AND seq <= ?;
