-- The number of the last batch of an outbox. Who stores the next batch, or forgets this one, names the
-- number that it read: a drainer that stood still meanwhile changes nothing of another's batch.
ALTER TABLE orpheus.outboxes ADD COLUMN batch bigint NOT NULL DEFAULT 0;
