-- name: register
-- Insert the heartbeat row of a process.
INSERT OR REPLACE INTO processes (
    incarnation, slot, pool, role, pid, create_time_s, boot_id, started_at_ms,
    ready, beat, last_beat_mono_ms, job_id, jobs_done)
VALUES (
    :incarnation, :slot, :pool, :role, :pid, :create_time_s, :boot_id, :started_at_ms,
    :ready, :beat, :last_beat_mono_ms, :job_id, :jobs_done);

-- name: beat
-- Store a heartbeat; the process itself writes it.
UPDATE processes SET ready = ?, beat = ?, last_beat_mono_ms = ?, job_id = ?, jobs_done = ?
WHERE incarnation = ?;

-- name: forget
-- Delete the row of a process that has ended.
DELETE FROM processes WHERE incarnation = ?;

-- name: all-processes
-- Every process that has a row, with the fields of ProcessRecord as columns.
SELECT incarnation, slot, pool, role, pid, create_time_s, boot_id, started_at_ms,
    ready, beat, last_beat_mono_ms, job_id, jobs_done
FROM processes ORDER BY slot, incarnation;

-- name: put-slot
-- Store a slot as the supervisor sees it.
INSERT OR REPLACE INTO slots (
    slot, position, pool, role, state, degraded, reason, pid, incarnation,
    cpu_percent, rss_bytes, started_at_ms, restarts, exits, rejected)
VALUES (
    :slot, :position, :pool, :role, :state, :degraded, :reason, :pid, :incarnation,
    :cpu_percent, :rss_bytes, :started_at_ms, :restarts, :exits, :rejected);

-- name: remove-slot
-- Delete a slot that is no longer configured.
DELETE FROM slots WHERE slot = ?;

-- name: all-slots
-- Every slot, in the supervisor's order, with the fields of SlotRecord as columns.
SELECT slot, pool, role, state, degraded, reason, pid, incarnation,
    cpu_percent, rss_bytes, started_at_ms, restarts, exits, rejected
FROM slots ORDER BY position, slot;
