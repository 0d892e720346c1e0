-- name: hold
-- Stays pending: its type is quarantined. Returns its id if it is held back now.
UPDATE jobs SET is_parked = 2
WHERE id = ? AND status = 'pending' AND is_due = 1 AND is_parked = 0
    AND EXISTS (SELECT 1 FROM quarantines WHERE quarantines.type = jobs.type AND released_ms IS NULL)
RETURNING id;

-- name: let-go
-- Stays pending: its type was released. What it was held back for is no wait: see jobs.py. Returns its
-- id if it was held back until now.
UPDATE jobs SET is_parked = 0, freed_at_ms = ? WHERE id = ? AND status = 'pending' AND is_parked = 2
RETURNING id;
