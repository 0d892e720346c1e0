-- A rate as it is configured, 100 in 60 s, and how many starts gather while a queue is idle.
ALTER TABLE queues DROP COLUMN rate_per_s;
ALTER TABLE queues DROP COLUMN rate_burst;
ALTER TABLE queues ADD COLUMN rate_starts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queues ADD COLUMN rate_period_s INTEGER NOT NULL DEFAULT 1;
ALTER TABLE queues ADD COLUMN rate_burst INTEGER NOT NULL DEFAULT 1;
