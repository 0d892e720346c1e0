-- name: successes
-- How many attempts of a type have succeeded; of one that is not described, of all such together.
SELECT CAST(coalesce(sum(n), 0) AS bigint) FROM orpheus.type_totals
WHERE type = CASE WHEN EXISTS (SELECT 1 FROM orpheus.job_types WHERE name = ?1) THEN ?1 ELSE '' END
    AND measure = 'ran' AND outcome = 'succeeded';

-- name: forget-crashes
-- Forget those crashes of a type that came before a success, too long ago or before a reboot.
DELETE FROM orpheus.type_crashes
WHERE type = ?1 AND (successes <> ?2 OR boot_id <> ?3 OR mono_ms <= ?4);

-- name: note-crash
-- Note a crash: the attempt has just been recorded.
INSERT INTO orpheus.type_crashes (
    type, lease_token, job_id, attempt, worker, pid, at_ms, mono_ms, boot_id, evidence, successes)
SELECT ?1, lease_token, job_id, number, worker, pid, finished_at_ms, ?2, ?3, ?4, ?5
FROM orpheus.ended_attempts WHERE job_id = ?6 AND lease_token = ?7;

-- name: crashes
-- The crashes of a type that count, oldest first.
SELECT job_id, attempt, worker, pid, at_ms, evidence FROM orpheus.type_crashes
WHERE type = ? ORDER BY lease_token;

-- name: forget-all-crashes
-- The type is quarantined: after its release, it is counted anew.
DELETE FROM orpheus.type_crashes WHERE type = ?;

-- name: is-quarantined
-- Is a type quarantined?
SELECT 1 FROM orpheus.quarantines WHERE type = ? AND released_ms IS NULL;

-- name: quarantine
-- Quarantine a type.
INSERT INTO orpheus.quarantines (type, since_ms, crashes, code)
VALUES (?1, ?2, ?3, coalesce((SELECT code FROM orpheus.job_types WHERE name = ?1 AND is_newest = 1), ''))
ON CONFLICT (type) DO UPDATE SET
    since_ms = excluded.since_ms, crashes = excluded.crashes, code = excluded.code, released_ms = NULL;

-- name: quarantined-types
-- The names of the quarantined types.
SELECT type FROM orpheus.quarantines WHERE released_ms IS NULL;

-- name: all
-- The quarantined types, by name.
SELECT type, since_ms, crashes FROM orpheus.quarantines WHERE released_ms IS NULL ORDER BY type;

-- name: of-type
-- What holds the jobs of a type back, and whether it is released.
SELECT type, since_ms, crashes, released_ms FROM orpheus.quarantines WHERE type = ?;

-- name: release
-- A type is quarantined no more.
UPDATE orpheus.quarantines SET released_ms = ?2 WHERE type = ?1 AND released_ms IS NULL;

-- name: any-released
-- A released type some of whose jobs may still be held back.
SELECT type FROM orpheus.quarantines WHERE released_ms IS NOT NULL LIMIT 1;

-- name: end-quarantine
-- None of its jobs is held back any more.
DELETE FROM orpheus.quarantines WHERE type = ? AND released_ms IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM orpheus.jobs INDEXED BY jobs_held WHERE is_parked = 2 AND jobs.type = quarantines.type);

-- name: changed-code
-- Quarantined types that have other code now, and since when.
SELECT quarantines.type, code_since_ms FROM orpheus.quarantines
    JOIN orpheus.job_types ON name = quarantines.type AND is_newest = 1
WHERE released_ms IS NULL AND job_types.code <> quarantines.code AND job_types.code <> ''
ORDER BY quarantines.type;

-- name: hold
-- Stay pending: their type is quarantined. Of a JSON list of jobs, those that another transaction has locked
-- are left to it, as it may wait for the lock that is held here. Returns those that are held back now.
UPDATE orpheus.jobs SET is_parked = 2
WHERE coalesce(status, '') = 'pending' AND id IN (
    SELECT jobs.id FROM {listed-ids} AS met CROSS JOIN orpheus.jobs ON jobs.id = met.value
    WHERE coalesce(status, '') = 'pending' AND is_due = 1 AND is_parked = 0 AND jobs.type IN (
        SELECT type FROM orpheus.quarantines WHERE released_ms IS NULL)
    FOR NO KEY UPDATE OF jobs SKIP LOCKED)
RETURNING id;

-- name: held-jobs
-- The first jobs of a type that are held back. Those that another transaction has locked are left to the
-- next time.
SELECT id FROM orpheus.jobs INDEXED BY jobs_held
WHERE is_parked = 2 AND type = ? ORDER BY priority DESC, run_at_ms, id LIMIT ? FOR NO KEY UPDATE SKIP LOCKED;

-- name: let-go
-- Stays pending: its type was released. What it was held back for is no wait: see jobs.py.
UPDATE orpheus.jobs SET is_parked = 0, freed_at_ms = ? WHERE id = ? AND status = 'pending' AND is_parked = 2;
