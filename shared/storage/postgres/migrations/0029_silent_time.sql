-- For how long a host was silent while somebody looked, and when that last was (NULL: it is not silent).
-- Time in which nobody looks does not count, nor what a clock that is set forward adds.
ALTER TABLE orpheus.host_builds RENAME COLUMN silent_since_ms TO looked_at_ms;
ALTER TABLE orpheus.host_builds ADD COLUMN silent_ms bigint NOT NULL DEFAULT 0;
