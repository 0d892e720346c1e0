-- Whether an attempt spent a retry; NULL: it ended before this was noted. The first crash among other jobs
-- spends none, and the outcome does not tell.
ALTER TABLE orpheus.ended_attempts ADD COLUMN spent_retry smallint CHECK (spent_retry IN (0, 1));
DROP VIEW orpheus.attempts;
CREATE VIEW orpheus.attempts AS
    SELECT job_id, number, outcome, worker, pid, started_at_ms, finished_at_ms,
        error_type, error_message, error_traceback, cpu_s, max_rss_bytes, lease_token, spent_retry
    FROM orpheus.ended_attempts
    UNION ALL
    SELECT id, attempt, 'succeeded', worker, worker_pid, started_at_ms, finished_at_ms,
        NULL, NULL, NULL, cpu_s, max_rss_bytes, lease_token, 0
    FROM orpheus.jobs WHERE status = 'done';
