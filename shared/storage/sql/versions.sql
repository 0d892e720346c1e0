-- name: label
-- Note which versions of its type can read the payload of a job that is pending again.
UPDATE orpheus.jobs SET versions = ? WHERE id = ? AND status = 'pending';

-- name: note-awaited
-- Note what jobs that are parked wait for.
INSERT INTO orpheus.awaited_versions (type, versions) VALUES (?, ?) ON CONFLICT DO NOTHING;

-- name: next-queue
-- The next queue by name that has jobs which wait for these versions of a type: one probe of the index.
SELECT queue FROM orpheus.jobs INDEXED BY jobs_awaiting
WHERE is_parked = 3 AND type = ? AND versions = ? AND queue > ? ORDER BY queue LIMIT 1;

-- name: some-of-queue
-- Some of them in one queue, behind a priority, time and id: what decides the order of leasing.
SELECT -priority, run_at_ms, id FROM orpheus.jobs INDEXED BY jobs_awaiting
WHERE is_parked = 3 AND type = ?1 AND versions = ?2 AND queue = ?3 AND priority <= ?4
    AND (priority < ?4 OR run_at_ms > ?5 OR (run_at_ms = ?5 AND id > ?6))
ORDER BY priority DESC, run_at_ms, id LIMIT ?7 FOR NO KEY UPDATE SKIP LOCKED;

-- name: offer
-- Stays pending: this worker can read it, so its lease looks at it with all others.
UPDATE orpheus.jobs SET is_parked = 0 WHERE id = ? AND status = 'pending' AND is_parked = 3;

-- name: park-again
-- Stays pending: it was offered, and not leased.
UPDATE orpheus.jobs SET is_parked = 3 WHERE id = ? AND status = 'pending' AND is_due = 1 AND is_parked = 0;

-- name: all-awaited
-- What jobs wait for, and whether a worker has one of these versions, or a host that is not forgotten.
SELECT type, versions, EXISTS (
    SELECT 1 FROM orpheus.job_types
    WHERE name = awaited_versions.type AND ' ' || versions || ' ' LIKE '% ' || version || ' %'
        AND build IN (
            SELECT build FROM orpheus.host_builds
            UNION SELECT build FROM orpheus.processes))
FROM orpheus.awaited_versions ORDER BY type, versions;

-- name: some-awaiting
-- Some jobs that wait for these versions of a type. What another transaction has locked is left to it.
SELECT id FROM orpheus.jobs INDEXED BY jobs_awaiting
WHERE is_parked = 3 AND type = ? AND versions = ? ORDER BY queue, priority DESC, run_at_ms, id
LIMIT ? FOR NO KEY UPDATE SKIP LOCKED;

-- name: any-awaiting
-- Does a job wait for these versions of a type?
SELECT 1 FROM orpheus.jobs INDEXED BY jobs_awaiting
WHERE is_parked = 3 AND type = ? AND versions = ? LIMIT 1;

-- name: let-go
-- Stays pending: nobody has its versions any more, so whoever leases it judges it anew.
UPDATE orpheus.jobs SET is_parked = 0, versions = NULL
WHERE id = ? AND status = 'pending' AND is_parked = 3;

-- name: forget-awaited
-- No job waits for these versions any more.
DELETE FROM orpheus.awaited_versions WHERE type = ? AND versions = ?;

-- name: is-read
-- Has a ready worker one of these versions of a type?
SELECT 1 FROM orpheus.processes JOIN orpheus.job_types ON job_types.build = processes.build
WHERE role = 'worker' AND ready = 1 AND name = ?1 AND ' ' || ?2 || ' ' LIKE '% ' || version || ' %' LIMIT 1;

-- name: is-newest-read
-- Is the newest version of a type one of these?
SELECT 1 FROM orpheus.job_types
WHERE name = ?1 AND is_newest = 1 AND ' ' || ?2 || ' ' LIKE '% ' || version || ' %';

-- name: await
-- Stay pending: the worker that has met them cannot read them. Of a JSON list, as in `hold`
-- (quarantines.sql). Returns those that are parked now.
UPDATE orpheus.jobs SET is_parked = 3
WHERE coalesce(status, '') = 'pending' AND id IN (
    SELECT jobs.id FROM {listed-ids} AS met CROSS JOIN orpheus.jobs ON jobs.id = met.value
    WHERE coalesce(status, '') = 'pending' AND is_due = 1 AND is_parked = 0 AND versions IS NOT NULL
    FOR NO KEY UPDATE OF jobs SKIP LOCKED)
RETURNING id;
