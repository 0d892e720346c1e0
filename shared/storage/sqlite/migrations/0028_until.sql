-- Until when the slot's state lasts at most, in milliseconds since 1970: a draining or stopping process
-- releases its jobs then, one in backoff or fatal is started. NULL: it has no such time.
ALTER TABLE slots ADD COLUMN until_ms INTEGER;
