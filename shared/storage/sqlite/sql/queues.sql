-- name: restricted
-- Queues that are paused or limited: a few rows, read with each lease.
SELECT name, coalesce(paused, paused_by_config), max_running,
    rate_per_s, rate_burst, rate_tokens, rate_mono_ms, rate_boot_id
FROM queues
WHERE coalesce(paused, paused_by_config) = 1 OR max_running > 0 OR rate_per_s > 0;

-- name: all-queues
-- Every queue that has a row.
SELECT name, coalesce(paused, paused_by_config), max_running, rate_per_s, rate_burst
FROM queues ORDER BY name;

-- name: running
-- The jobs of a queue that are leased right now.
SELECT n FROM job_counts WHERE queue = ? AND status = 'in_progress';

-- name: has-room-and-work
-- Whether a limited queue has room for one of its due jobs; its rate is not considered.
SELECT 1 FROM queues
WHERE name = ?1 AND coalesce(paused, paused_by_config) = 0 AND max_running > 0
    AND max_running > coalesce(
        (SELECT n FROM job_counts WHERE queue = ?1 AND status = 'in_progress'), 0)
    AND EXISTS (
        SELECT 1 FROM jobs INDEXED BY jobs_due
        WHERE status = 'pending' AND is_due = 1 AND queue = ?1);

-- name: keep-rate
-- Store the tokens left of a queue's rate, and when they were counted.
UPDATE queues SET rate_tokens = ?, rate_mono_ms = ?, rate_boot_id = ? WHERE name = ?;

-- name: set-paused
-- Pause or resume by an operator: valid until the next one.
INSERT INTO queues (name, paused) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET paused = ?2;

-- name: forget-configuration
-- Reset the configured limits, before the new ones are written.
UPDATE queues SET paused_by_config = 0, max_running = 0, rate_per_s = 0, rate_burst = 0;

-- name: configure
-- Store what the configuration says about a queue.
INSERT INTO queues (name, paused_by_config, max_running, rate_per_s, rate_burst, rate_tokens)
VALUES (?1, ?2, ?3, ?4, ?5, ?5)
ON CONFLICT (name) DO UPDATE SET
    paused_by_config = ?2, max_running = ?3, rate_per_s = ?4, rate_burst = ?5;
