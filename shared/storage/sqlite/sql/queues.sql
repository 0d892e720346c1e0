-- name: running
-- The jobs that are leased right now of each queue that limits them.
SELECT name, n FROM queues CROSS JOIN job_counts
    ON job_counts.queue = name AND job_counts.status = 'in_progress'
WHERE max_running > 0;

-- name: has-room-and-work
-- The queue, if it is limited and has room for one of its due jobs; its rate is not considered.
SELECT name FROM queues
WHERE name = ?1 AND coalesce(paused, paused_by_config) = 0 AND max_running > 0
    AND max_running > coalesce(
        (SELECT n FROM job_counts WHERE queue = ?1 AND status = 'in_progress'), 0)
    AND EXISTS (
        SELECT 1 FROM jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = ?1);
