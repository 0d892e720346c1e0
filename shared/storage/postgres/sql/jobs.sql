-- name: unknown-ids
-- Those of a JSON list of ids that no job has. The others cannot be deleted until the transaction ends.
WITH wanted AS MATERIALIZED (
    SELECT one::bigint AS id FROM json_array_elements_text(?::json) AS one),
held AS MATERIALIZED (
    SELECT id FROM orpheus.jobs WHERE id IN (SELECT id FROM wanted) ORDER BY id FOR KEY SHARE)
SELECT id FROM wanted WHERE id NOT IN (SELECT id FROM held);

-- name: running-jobs
-- The running job of each incarnation: that of its smallest token, as the others are newer, or
-- prefetched.
SELECT DISTINCT ON (lease_incarnation)
    id, type, worker, lease_incarnation AS incarnation, started_at_ms, progress, message,
    count(*) OVER (PARTITION BY lease_incarnation) AS in_progress, crashes
FROM orpheus.jobs WHERE status = 'in_progress' ORDER BY lease_incarnation, lease_token;

-- name: equals-in-order
-- Compares the first column of an index with a value, where it stands in ORDER BY too: then its index is the
-- only one that fits. By `=`, the server may go through all newer jobs by their ids, as it expects jobs
-- of each kind everywhere.
= ANY (ARRAY[?])
