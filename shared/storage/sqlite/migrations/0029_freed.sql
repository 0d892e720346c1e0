-- Widened: when the job last became free to run. It left 'blocked' for 'pending', or left 'in_progress'
-- for it after it was run. It waits for a worker since then, or since it was due if that is later.
ALTER TABLE jobs RENAME COLUMN unblocked_at_ms TO freed_at_ms;
