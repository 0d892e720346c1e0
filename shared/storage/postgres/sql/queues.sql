-- name: running
-- The jobs that are leased right now of each queue that limits them.
SELECT name, (
    SELECT count(*) FROM orpheus.jobs WHERE status = 'in_progress' AND queue = name)
FROM orpheus.queues WHERE max_running > 0;

-- name: has-room-and-work
-- The queue, if it is limited and has room for one of its due jobs; its rate is not considered.
SELECT name FROM orpheus.queues
WHERE name = ?1 AND coalesce(paused, paused_by_config) = 0 AND max_running > 0
    AND max_running > (
        SELECT count(*) FROM orpheus.jobs WHERE status = 'in_progress' AND queue = ?1)
    AND EXISTS (
        SELECT 1 FROM orpheus.jobs
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = ?1);
