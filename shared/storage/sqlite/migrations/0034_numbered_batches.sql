-- The number of the last batch of an outbox. Who stores the next batch, or forgets this one, names the
-- number that it read: a drainer that stood still meanwhile changes nothing of another's batch.
ALTER TABLE outboxes ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;
