-- name: rules
-- The limits per key of one queue.
SELECT max_running_per_key, key_rate_starts, key_rate_period_s, key_rate_burst
FROM orpheus.queues WHERE name = ?;

-- name: rules-of-all
-- The limits per key of every queue that has some.
SELECT name, max_running_per_key, key_rate_starts, key_rate_period_s, key_rate_burst
FROM orpheus.queues WHERE max_running_per_key > 0 OR key_rate_starts > 0;

-- name: running
-- How many jobs of a key are leased now, counted up to a number.
SELECT count(*) FROM (
    SELECT 1 FROM orpheus.jobs INDEXED BY jobs_of_key
    WHERE concurrency_key IS NOT NULL AND is_parked = 0 AND finished_at_ms IS NULL
        AND queue = ?1 AND concurrency_key = ?2 AND status = 'in_progress' LIMIT ?3) AS found;

-- name: is-parked
-- Is a job of this key parked?
SELECT 1 FROM orpheus.jobs INDEXED BY jobs_parked
WHERE is_parked = 1 AND queue = ? AND concurrency_key = ? LIMIT 1;

-- name: parked-and-next
-- The parked jobs among the next ?3 of a key. Both halves are read in order from their index.
SELECT id FROM (
    SELECT id, priority, run_at_ms, is_parked FROM (
        SELECT id, priority, run_at_ms, is_parked FROM orpheus.jobs INDEXED BY jobs_parked
        WHERE is_parked = 1 AND queue = ?1 AND concurrency_key = ?2
        ORDER BY priority DESC, run_at_ms, id LIMIT ?3) AS parked
    UNION ALL
    SELECT id, priority, run_at_ms, is_parked FROM (
        SELECT id, priority, run_at_ms, is_parked FROM orpheus.jobs INDEXED BY jobs_of_key
        WHERE concurrency_key IS NOT NULL AND is_parked = 0 AND finished_at_ms IS NULL
            AND queue = ?1 AND concurrency_key = ?2 AND status = 'pending' AND is_due = 1
        ORDER BY priority DESC, run_at_ms, id LIMIT ?3) AS free
    ORDER BY priority DESC, run_at_ms, id LIMIT ?3) AS next
WHERE is_parked = 1;

-- name: parked
-- The first parked jobs of a key, whatever else of it may be leased.
SELECT id FROM orpheus.jobs INDEXED BY jobs_parked
WHERE is_parked = 1 AND queue = ? AND concurrency_key = ?
ORDER BY priority DESC, run_at_ms, id LIMIT ?;

-- name: park
-- Stays pending: its key has no room.
UPDATE orpheus.jobs SET is_parked = 1 WHERE id = ? AND status = 'pending' AND is_due = 1;

-- name: unpark
-- Stays pending: its key has room.
UPDATE orpheus.jobs SET is_parked = 0 WHERE id = ? AND status = 'pending' AND is_parked = 1;

-- name: still-waiting
-- The queues of the jobs of a JSON list that may be leased now.
SELECT DISTINCT queue FROM {listed-ids} AS one CROSS JOIN orpheus.jobs ON jobs.id = one.value
WHERE status = 'pending' AND is_due = 1 AND is_parked = 0;

-- name: rate
-- When the bucket of a key is full, and of which boot that is.
SELECT full_mono_ms, boot_id FROM orpheus.key_rates WHERE queue = ? AND key = ?;

-- name: keep-rate
-- Store when the bucket of a key is full.
INSERT INTO orpheus.key_rates (queue, key, full_mono_ms, boot_id) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (queue, key) DO UPDATE SET full_mono_ms = ?3, boot_id = ?4;

-- name: set-opening
-- Store when the parked jobs of a key are looked at again; NULL: not because of its rate.
UPDATE orpheus.key_rates SET opens_mono_ms = ?3
WHERE queue = ?1 AND key = ?2 AND opens_mono_ms IS DISTINCT FROM ?3;

-- name: opened
-- Keys with parked jobs whose next token has come, or whose bucket is of another boot.
SELECT queue, key FROM (
    SELECT queue, key FROM orpheus.key_rates INDEXED BY key_rates_waiting
    WHERE opens_mono_ms IS NOT NULL AND boot_id = ?1 AND opens_mono_ms <= ?2
    UNION ALL
    SELECT queue, key FROM orpheus.key_rates INDEXED BY key_rates_waiting
    WHERE opens_mono_ms IS NOT NULL AND boot_id < ?1
    UNION ALL
    SELECT queue, key FROM orpheus.key_rates INDEXED BY key_rates_waiting
    WHERE opens_mono_ms IS NOT NULL AND boot_id > ?1) AS found
LIMIT ?3;

-- name: next-opening
-- When the next token comes for which jobs are parked.
SELECT opens_mono_ms FROM orpheus.key_rates INDEXED BY key_rates_waiting
WHERE opens_mono_ms IS NOT NULL AND boot_id = ? ORDER BY opens_mono_ms LIMIT 1;

-- name: forget-openings
-- The limits of a queue have changed: none of its keys waits for its rate until it has been looked at.
UPDATE orpheus.key_rates SET opens_mono_ms = NULL WHERE queue = ? AND opens_mono_ms IS NOT NULL;

-- name: begin-sweep
-- Look at every parked job of a queue, if it has some.
UPDATE orpheus.queues SET sweep_after = ''
WHERE name = ?
    AND EXISTS (SELECT 1 FROM orpheus.jobs INDEXED BY jobs_parked WHERE is_parked = 1 AND queue = name);

-- name: any-sweep
-- A queue whose parked jobs are still to be looked at, and the key before.
SELECT name, sweep_after FROM orpheus.queues WHERE sweep_after IS NOT NULL LIMIT 1;

-- name: next-parked-key
-- The next key of a queue that has parked jobs.
SELECT concurrency_key FROM orpheus.jobs INDEXED BY jobs_parked
WHERE is_parked = 1 AND queue = ? AND concurrency_key > ?
ORDER BY concurrency_key LIMIT 1;

-- name: keep-sweep
-- Store how far the sweep has come; NULL: to its end.
UPDATE orpheus.queues SET sweep_after = ? WHERE name = ?;

-- name: full
-- Keys whose bucket is full, so that they need no row: of this boot, and all of others.
SELECT queue, key FROM (
    SELECT queue, key FROM orpheus.key_rates INDEXED BY key_rates_idle
    WHERE opens_mono_ms IS NULL AND boot_id = ?1 AND full_mono_ms <= ?2
    UNION ALL
    SELECT queue, key FROM orpheus.key_rates INDEXED BY key_rates_idle
    WHERE opens_mono_ms IS NULL AND boot_id < ?1
    UNION ALL
    SELECT queue, key FROM orpheus.key_rates INDEXED BY key_rates_idle
    WHERE opens_mono_ms IS NULL AND boot_id > ?1) AS found
LIMIT ?3;

-- name: delete-rate
-- Delete the row of a key, unless a job of it has started since it was found.
DELETE FROM orpheus.key_rates
WHERE queue = ?1 AND key = ?2 AND opens_mono_ms IS NULL AND (boot_id <> ?3 OR full_mono_ms <= ?4);

-- name: shorten-rates
-- A rate has changed: no bucket of the queue lacks more than it can hold.
UPDATE orpheus.key_rates SET full_mono_ms = ?3
WHERE queue = ?1 AND boot_id = ?2 AND full_mono_ms > ?3;
