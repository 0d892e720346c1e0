-- The rows of an outbox that were refused and are still there, as its drainer counted them last: a JSON
-- list of how many, and the id and the reason of the first. NULL: none.
ALTER TABLE outboxes ADD COLUMN refused_now TEXT;
