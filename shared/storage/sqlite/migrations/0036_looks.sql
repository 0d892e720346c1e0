-- When a host last looked for rows of an outbox that is a file, so that the leader can tell if none does.
ALTER TABLE outboxes ADD COLUMN looked_at_ms INTEGER;
