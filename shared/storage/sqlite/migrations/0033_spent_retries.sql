-- Whether an attempt spent a retry; NULL: it ended before this was noted. The first crash among other jobs
-- spends none, and the outcome does not tell.
ALTER TABLE ended_attempts ADD COLUMN spent_retry INTEGER CHECK (spent_retry IN (0, 1));
DROP VIEW attempts;
CREATE VIEW attempts AS
    SELECT job_id, number, outcome, worker, pid, started_at_ms, finished_at_ms,
        error_type, error_message, error_traceback, cpu_s, max_rss_bytes, lease_token, spent_retry
    FROM ended_attempts
    UNION ALL
    SELECT id, attempt, 'succeeded', worker, worker_pid, started_at_ms, finished_at_ms,
        NULL, NULL, NULL, cpu_s, max_rss_bytes, lease_token, 0
    FROM jobs WHERE status = 'done';
