-- part: of-group
-- The failed jobs of a group, from the index.
orpheus.jobs INDEXED BY jobs_failed WHERE status = 'failed' AND type = ?1 AND error_type = ?2 AND error_where = ?3

-- name: groups
-- The groups of failed jobs by type, error and location, with the jobs of each that failed first and last.
-- Each is found with one probe of the index (a loose index scan): compared with columns, SQLite would probe
-- with the type alone, so it compares with expressions. Those that failed last come first.
WITH RECURSIVE first (id) AS (
    SELECT (
        SELECT id FROM orpheus.jobs INDEXED BY jobs_failed WHERE status = 'failed'
        ORDER BY type, error_type, error_where, finished_at_ms, id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT other.id FROM orpheus.jobs AS other INDEXED BY jobs_failed
        WHERE other.status = 'failed' AND (other.type, other.error_type, other.error_where)
            > (jobs.type || '', jobs.error_type || '', jobs.error_where || '')
        ORDER BY other.type, other.error_type, other.error_where, other.finished_at_ms, other.id
        LIMIT 1)
    FROM first CROSS JOIN orpheus.jobs ON jobs.id = first.id),
found AS (
    SELECT type, error_type, error_where, finished_at_ms AS first_ms, (
        SELECT other.id FROM orpheus.jobs AS other INDEXED BY jobs_failed
        WHERE other.status = 'failed' AND other.type = jobs.type
            AND other.error_type = jobs.error_type AND other.error_where = jobs.error_where
        ORDER BY other.finished_at_ms DESC, other.id DESC LIMIT 1) AS newest
    FROM first CROSS JOIN orpheus.jobs ON jobs.id = first.id)
SELECT found.type, found.error_type, found.error_where, first_ms, finished_at_ms, newest,
    substr(coalesce(error_message, ''), 1, 500)
FROM found CROSS JOIN orpheus.jobs ON jobs.id = newest
ORDER BY finished_at_ms DESC, newest DESC LIMIT ?;

-- name: figures
-- Of the ?4 jobs of a group that failed last: their number, the largest id, and how many failed in the last
-- hour, since ?5, and in the hour before, since ?6. How many different messages there are is told by the
-- five jobs that failed last and the five that failed first.
SELECT count(*), max(id), count(*) FILTER (WHERE finished_at_ms >= ?5),
    count(*) FILTER (WHERE finished_at_ms >= ?6 AND finished_at_ms < ?5), (
        SELECT count(DISTINCT coalesce(error_message, '')) FROM (
            SELECT error_message FROM (
                SELECT error_message FROM {of-group}
                ORDER BY finished_at_ms DESC, id DESC LIMIT 5) AS latest
            UNION ALL
            SELECT error_message FROM (
                SELECT error_message FROM {of-group} ORDER BY finished_at_ms, id LIMIT 5) AS oldest
        ) AS ends)
FROM (
    SELECT id, finished_at_ms FROM {of-group} ORDER BY finished_at_ms DESC, id DESC LIMIT ?4) AS counted;
