-- Rows that made no job, as a live job of the same type held their unique key. They were counted as
-- accepted until now.
ALTER TABLE outboxes ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
