-- What each attempt cost; NULL: it was not measured. In the job's row, that of the attempt that did it.
ALTER TABLE jobs ADD COLUMN cpu_s REAL;
ALTER TABLE jobs ADD COLUMN max_rss_bytes INTEGER;
ALTER TABLE ended_attempts ADD COLUMN cpu_s REAL;
ALTER TABLE ended_attempts ADD COLUMN max_rss_bytes INTEGER;
DROP VIEW attempts;
CREATE VIEW attempts AS
    SELECT job_id, number, outcome, worker, pid, started_at_ms, finished_at_ms,
        error_type, error_message, error_traceback, cpu_s, max_rss_bytes, lease_token
    FROM ended_attempts
    UNION ALL
    SELECT id, attempt, 'succeeded', worker, worker_pid, started_at_ms, finished_at_ms,
        NULL, NULL, NULL, cpu_s, max_rss_bytes, lease_token
    FROM jobs WHERE status = 'done';
