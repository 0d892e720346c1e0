-- When the job last left 'blocked' for 'pending': it waits for a worker since then, or since it was due if
-- that is later. NULL: it was never blocked, or is blocked; or it left before there was this column.
ALTER TABLE jobs ADD COLUMN unblocked_at_ms INTEGER;
