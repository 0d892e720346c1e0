-- What each attempt cost; NULL: it was not measured. In the job's row, that of the attempt that did it.
ALTER TABLE orpheus.jobs ADD COLUMN cpu_s double precision, ADD COLUMN max_rss_bytes bigint;
ALTER TABLE orpheus.ended_attempts
    ADD COLUMN cpu_s double precision, ADD COLUMN max_rss_bytes bigint;
DROP VIEW orpheus.attempts;
CREATE VIEW orpheus.attempts AS
    SELECT job_id, number, outcome, worker, pid, started_at_ms, finished_at_ms,
        error_type, error_message, error_traceback, cpu_s, max_rss_bytes, lease_token
    FROM orpheus.ended_attempts
    UNION ALL
    SELECT id, attempt, 'succeeded', worker, worker_pid, started_at_ms, finished_at_ms,
        NULL, NULL, NULL, cpu_s, max_rss_bytes, lease_token
    FROM orpheus.jobs WHERE status = 'done';
