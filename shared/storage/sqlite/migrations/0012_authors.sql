-- What a job calls one that it depends on, if both were submitted together: a key of its results.
ALTER TABLE job_dependencies ADD COLUMN ref TEXT;

-- The backoff of a job type; NULL: as in [jobs].
ALTER TABLE job_types ADD COLUMN backoff_base_s REAL;
ALTER TABLE job_types ADD COLUMN backoff_factor REAL;
ALTER TABLE job_types ADD COLUMN backoff_max_s REAL;
ALTER TABLE job_types ADD COLUMN backoff_jitter REAL;

-- The trace (W3C) that a job is part of.
ALTER TABLE jobs ADD COLUMN traceparent TEXT;
