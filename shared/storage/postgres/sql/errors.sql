-- name: groups
-- Failed jobs by type, error and place, those with the most jobs first, and the job of each that
-- failed last, with its message: the index is read once, and probed once for each group.
SELECT type, error_type, error_where, n, first_ms, last_ms, newest, max_id, (
    SELECT substr(coalesce(error_message, ''), 1, 500) FROM orpheus.jobs WHERE id = newest) AS message
FROM (
    SELECT type, error_type, error_where, n, first_ms, last_ms, (
        SELECT id FROM orpheus.jobs
        WHERE status = 'failed' AND jobs.type = found.type AND jobs.error_type = found.error_type
            AND jobs.error_where = found.error_where
        ORDER BY finished_at_ms DESC, id DESC LIMIT 1) AS newest, max_id
    FROM (
        SELECT type, error_type, error_where, count(*) AS n,
            min(finished_at_ms) AS first_ms, max(finished_at_ms) AS last_ms, max(id) AS max_id
        FROM orpheus.jobs
        WHERE status = 'failed' GROUP BY type, error_type, error_where
        ORDER BY n DESC, last_ms DESC, type, error_type, error_where LIMIT ?) AS found) AS grouped
ORDER BY n DESC, last_ms DESC, type, error_type, error_where;
