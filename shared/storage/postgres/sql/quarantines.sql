-- name: hold
-- Stays pending: its type is quarantined. Of many jobs at once; those that another host has locked are
-- left to it, as it may wait for the lock that is held here. Returns those that are held back now.
UPDATE orpheus.jobs SET is_parked = 2
WHERE coalesce(status, '') = 'pending' AND id IN (
    SELECT jobs.id FROM orpheus.jobs JOIN unnest(?::bigint[]) AS held (id) ON jobs.id = held.id
    WHERE coalesce(status, '') = 'pending' AND is_due = 1 AND is_parked = 0 AND type IN (
        SELECT type FROM orpheus.quarantines WHERE released_ms IS NULL)
    FOR NO KEY UPDATE OF jobs SKIP LOCKED)
RETURNING id;

-- name: let-go
-- Stays pending: its type was released. What it was held back for is no wait: see jobs.py. Of many jobs at
-- once, which are locked in the order of their ids, as by all who lock many: so no two wait for each
-- other. Returns those that were held back until now.
UPDATE orpheus.jobs SET is_parked = 0, freed_at_ms = free.at_ms FROM (
    SELECT jobs.id, at_ms FROM orpheus.jobs
        JOIN unnest(?::bigint[], ?::bigint[]) AS free (at_ms, id) ON jobs.id = free.id
    WHERE coalesce(status, '') = 'pending' AND is_parked = 2
    ORDER BY jobs.id FOR NO KEY UPDATE OF jobs) AS free
WHERE jobs.id = free.id
RETURNING jobs.id;
