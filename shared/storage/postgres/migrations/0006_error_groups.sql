-- Where the error of a failed job was raised (shared/domain/error_place.py), and what GET /errors counts.
-- Jobs that have failed before have no place. An entry of an index has a limit.
ALTER TABLE orpheus.jobs ADD COLUMN error_where text COLLATE "C" NOT NULL DEFAULT '';
UPDATE orpheus.jobs SET error_type = left(error_type, 200) WHERE length(error_type) > 200;
CREATE INDEX jobs_failed ON orpheus.jobs (type, error_type, error_where, finished_at_ms, id)
    WHERE status = 'failed';
