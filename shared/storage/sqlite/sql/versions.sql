-- name: await
-- Stays pending: the worker that has met it cannot read it. Returns its id if it is parked now.
UPDATE jobs SET is_parked = 3
WHERE id = ? AND status = 'pending' AND is_due = 1 AND is_parked = 0 AND versions IS NOT NULL
RETURNING id;
