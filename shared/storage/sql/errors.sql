-- part: of-group
-- The failed jobs of a group, from the index.
FROM orpheus.jobs AS other INDEXED BY jobs_failed WHERE other.status = 'failed' AND other.type = found.type
            AND other.error_type = found.error_type AND other.error_where = found.error_where

-- name: groups
-- The failed jobs by type, error and location, of which a job failed last: how many, in the last hour,
-- since ?1, and in the hour before, since ?2; and the jobs that failed first and last.
WITH found AS (
    SELECT type, error_type, error_where, count(*) AS n, min(finished_at_ms) AS first_ms,
        max(finished_at_ms) AS last_ms, max(id) AS max_id,
        count(*) FILTER (WHERE finished_at_ms >= ?1) AS last_hour,
        count(*) FILTER (WHERE finished_at_ms >= ?2 AND finished_at_ms < ?1) AS hour_before
    FROM orpheus.jobs INDEXED BY jobs_failed WHERE status = 'failed'
    GROUP BY type, error_type, error_where ORDER BY last_ms DESC, max_id DESC LIMIT ?3),
ends AS (
    SELECT found.*,
        (SELECT id {of-group} ORDER BY finished_at_ms DESC, id DESC LIMIT 1) AS newest,
        (SELECT id {of-group} ORDER BY finished_at_ms, id LIMIT 1) AS oldest
    FROM found)
SELECT ends.type, ends.error_type, ends.error_where, n, first_ms, last_ms, newest, max_id, last_hour,
    hour_before, substr(coalesce(last.error_message, ''), 1, 500),
    CASE WHEN coalesce(first.error_message, '') = coalesce(last.error_message, '') THEN 1 ELSE 2 END
FROM ends JOIN orpheus.jobs AS first ON first.id = oldest JOIN orpheus.jobs AS last ON last.id = newest
ORDER BY n DESC, last_ms DESC, ends.type, ends.error_type, ends.error_where;

-- name: groups-in-scope
-- The same of the jobs that a caller may see: those with the smallest and the largest id are the first
-- and the last.
WITH found AS (
    SELECT type, error_type, error_where, count(*) AS n, min(finished_at_ms) AS first_ms,
        max(finished_at_ms) AS last_ms, min(id) AS min_id, max(id) AS max_id,
        count(*) FILTER (WHERE finished_at_ms >= ?) AS last_hour,
        count(*) FILTER (WHERE finished_at_ms >= ? AND finished_at_ms < ?) AS hour_before
    FROM orpheus.jobs WHERE status = 'failed' AND {in-scope}
    GROUP BY type, error_type, error_where ORDER BY last_ms DESC, max_id DESC LIMIT ?)
SELECT found.type, found.error_type, found.error_where, n, first_ms, last_ms, max_id, max_id, last_hour,
    hour_before, substr(coalesce(last.error_message, ''), 1, 500),
    CASE WHEN coalesce(first.error_message, '') = coalesce(last.error_message, '') THEN 1 ELSE 2 END
FROM found JOIN orpheus.jobs AS first ON first.id = min_id JOIN orpheus.jobs AS last ON last.id = max_id
ORDER BY n DESC, last_ms DESC, found.type, found.error_type, found.error_where;
