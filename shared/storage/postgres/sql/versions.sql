-- name: await
-- Stays pending: the worker that has met it cannot read it. Of many jobs at once; those that another host
-- has locked are left to it, as it may wait for the lock that is held here. Returns those that are parked
-- now.
UPDATE orpheus.jobs SET is_parked = 3
WHERE coalesce(status, '') = 'pending' AND id IN (
    SELECT jobs.id FROM orpheus.jobs JOIN unnest(?::bigint[]) AS met (id) ON jobs.id = met.id
    WHERE coalesce(status, '') = 'pending' AND is_due = 1 AND is_parked = 0 AND versions IS NOT NULL
    FOR NO KEY UPDATE OF jobs SKIP LOCKED)
RETURNING id;
