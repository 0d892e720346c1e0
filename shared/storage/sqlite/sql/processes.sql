-- name: register
-- A process announces itself.
INSERT OR REPLACE INTO processes (
    incarnation, slot, pool, role, pid, create_time_s, boot_id, started_at_ms,
    ready, beat, last_beat_mono_ms, job_id, jobs_done)
VALUES (
    :incarnation, :slot, :pool, :role, :pid, :create_time_s, :boot_id, :started_at_ms,
    :ready, :beat, :last_beat_mono_ms, :job_id, :jobs_done);

-- name: beat
-- A heartbeat, by the process itself.
UPDATE processes SET ready = ?, beat = ?, last_beat_mono_ms = ?, job_id = ?, jobs_done = ?
WHERE incarnation = ?;

-- name: forget
-- A process that has ended.
DELETE FROM processes WHERE incarnation = ?;

-- name: all-processes
-- Every process that announced itself and was not forgotten.
SELECT incarnation, slot, pool, role, pid, create_time_s, boot_id, started_at_ms,
    ready, beat, last_beat_mono_ms, job_id, jobs_done
FROM processes ORDER BY slot, incarnation;

-- name: put-slot
-- A slot as the supervisor sees it.
INSERT OR REPLACE INTO slots (
    slot, position, pool, role, state, degraded, reason, pid, incarnation,
    cpu_percent, rss_bytes, started_at_ms, restarts, exits, rejected)
VALUES (
    :slot, :position, :pool, :role, :state, :degraded, :reason, :pid, :incarnation,
    :cpu_percent, :rss_bytes, :started_at_ms, :restarts, :exits, :rejected);

-- name: remove-slot
-- A slot that is not configured any more.
DELETE FROM slots WHERE slot = ?;

-- name: all-slots
-- Every slot, in the supervisor's order.
SELECT slot, pool, role, state, degraded, reason, pid, incarnation,
    cpu_percent, rss_bytes, started_at_ms, restarts, exits, rejected
FROM slots ORDER BY position, slot;
