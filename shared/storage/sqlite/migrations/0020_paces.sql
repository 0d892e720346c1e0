-- How long the jobs that were done in this minute ran, in ms: with their number, the pace of a queue.
ALTER TABLE finished_per_minute ADD COLUMN ran_ms INTEGER NOT NULL DEFAULT 0;
