-- Where the error of a failed job was raised (shared/domain/error_place.py), and what GET /errors counts.
-- Jobs that have failed before have no place.
ALTER TABLE jobs ADD COLUMN error_where TEXT NOT NULL DEFAULT '';
CREATE INDEX jobs_failed ON jobs (type, error_type, error_where, finished_at_ms, id)
    WHERE status = 'failed';
