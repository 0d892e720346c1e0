-- name: restricted
-- Queues that are paused or limited: a few rows, read with each lease.
SELECT name, coalesce(paused, paused_by_config), max_running,
    rate_starts, rate_period_s, rate_burst, rate_tokens, rate_mono_ms, rate_boot_id,
    max_running_per_key, key_rate_starts, key_rate_period_s, key_rate_burst
FROM orpheus.queues
WHERE coalesce(paused, paused_by_config) = 1 OR max_running > 0 OR rate_starts > 0
    OR max_running_per_key > 0 OR key_rate_starts > 0;

-- name: all-queues
-- Every queue that has a row.
SELECT name, coalesce(paused, paused_by_config), max_running, rate_starts, rate_period_s, rate_burst,
    max_running_per_key, key_rate_starts, key_rate_period_s, key_rate_burst
FROM orpheus.queues ORDER BY name;

-- name: limits-running
-- Is there a queue that limits how many of its jobs run?
SELECT 1 FROM orpheus.queues WHERE max_running > 0 LIMIT 1;

-- name: any-rate
-- Is there a queue with a rate?
SELECT 1 FROM orpheus.queues WHERE rate_starts > 0 LIMIT 1;

-- name: keep-rate
-- Store the tokens left of a queue's rate, and when they were counted.
UPDATE orpheus.queues SET rate_tokens = ?, rate_mono_ms = ?, rate_boot_id = ? WHERE name = ?;

-- name: set-paused
-- Pause or resume by an operator: valid until the next one.
INSERT INTO orpheus.queues (name, paused) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET paused = ?2;

-- name: by-hand
-- The queues that an operator has paused or resumed, whatever the configuration says.
SELECT name, paused FROM orpheus.queues WHERE paused IS NOT NULL ORDER BY name;

-- name: forget-configuration
-- Reset the configured limits, before the new ones are written.
UPDATE orpheus.queues SET paused_by_config = 0, max_running = 0, rate_starts = 0,
    max_running_per_key = 0, key_rate_starts = 0;

-- name: configure
-- Store what the configuration says about a queue.
INSERT INTO orpheus.queues (
    name, paused_by_config, max_running, rate_starts, rate_period_s, rate_burst, rate_tokens,
    max_running_per_key, key_rate_starts, key_rate_period_s, key_rate_burst)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (name) DO UPDATE SET
    paused_by_config = ?2, max_running = ?3, rate_starts = ?4, rate_period_s = ?5, rate_burst = ?6,
    max_running_per_key = ?7, key_rate_starts = ?8, key_rate_period_s = ?9, key_rate_burst = ?10;

-- name: refund
-- Refund the token of a job that was leased and did not start. Nothing to do after a reboot.
UPDATE orpheus.queues
SET rate_tokens = CASE WHEN rate_tokens + 1 < rate_burst THEN rate_tokens + 1 ELSE rate_burst END
WHERE name = ? AND rate_starts > 0;

-- name: running
-- The jobs that are leased right now of each queue that limits them.
SELECT name, {running-here} FROM orpheus.queues WHERE max_running > 0;

-- name: has-room-and-work
-- The queue, if it is limited and has room for one of its due jobs; its rate is not considered.
SELECT name FROM orpheus.queues
WHERE name = ? AND coalesce(paused, paused_by_config) = 0 AND max_running > {running-here}
    AND EXISTS (
        SELECT 1 FROM orpheus.jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND is_parked = 0 AND queue = name);
