-- name: groups
-- Failed jobs by type, error and location, those with the most jobs first, and the job of each that
-- failed last, with its message: the index is read once, and probed once for each group. The same
-- read counts those of the last hour, since ?2, and of the hour before, since ?3. How many different
-- messages there are is told by the five jobs that failed last and the five that failed first.
SELECT type, error_type, error_where, n, first_ms, last_ms, newest, max_id, last_hour, hour_before, (
    SELECT substr(coalesce(error_message, ''), 1, 500) FROM orpheus.jobs WHERE id = newest) AS message, (
    SELECT count(DISTINCT coalesce(error_message, '')) FROM (
        SELECT error_message FROM (
            SELECT error_message FROM orpheus.jobs INDEXED BY jobs_failed
            WHERE status = 'failed' AND jobs.type = grouped.type
                AND jobs.error_type = grouped.error_type AND jobs.error_where = grouped.error_where
            ORDER BY finished_at_ms DESC, id DESC LIMIT 5) AS latest
        UNION ALL
        SELECT error_message FROM (
            SELECT error_message FROM orpheus.jobs INDEXED BY jobs_failed
            WHERE status = 'failed' AND jobs.type = grouped.type
                AND jobs.error_type = grouped.error_type AND jobs.error_where = grouped.error_where
            ORDER BY finished_at_ms, id LIMIT 5) AS oldest) AS ends) AS messages
FROM (
    SELECT type, error_type, error_where, n, first_ms, last_ms, (
        SELECT id FROM orpheus.jobs INDEXED BY jobs_failed
        WHERE status = 'failed' AND jobs.type = found.type AND jobs.error_type = found.error_type
            AND jobs.error_where = found.error_where
        ORDER BY finished_at_ms DESC, id DESC LIMIT 1) AS newest, max_id, last_hour, hour_before
    FROM (
        SELECT type, error_type, error_where, count(*) AS n,
            min(finished_at_ms) AS first_ms, max(finished_at_ms) AS last_ms, max(id) AS max_id,
            count(*) FILTER (WHERE finished_at_ms >= ?2) AS last_hour,
            count(*) FILTER (WHERE finished_at_ms >= ?3 AND finished_at_ms < ?2) AS hour_before
        FROM orpheus.jobs INDEXED BY jobs_failed
        WHERE status = 'failed' GROUP BY type, error_type, error_where
        ORDER BY n DESC, last_ms DESC, type, error_type, error_where LIMIT ?1) AS found) AS grouped
ORDER BY n DESC, last_ms DESC, type, error_type, error_where;
