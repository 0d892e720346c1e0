-- Rows that made no job, as a live job of the same type held their unique key. They were counted as
-- accepted until now.
ALTER TABLE orpheus.outboxes ADD COLUMN held bigint NOT NULL DEFAULT 0;
