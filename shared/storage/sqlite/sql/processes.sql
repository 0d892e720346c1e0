-- name: register
-- Insert the heartbeat row of a process.
INSERT OR REPLACE INTO processes (
    host, incarnation, slot, pool, role, pid, create_time_s, boot_id, started_at_ms,
    ready, beat, last_beat_mono_ms, job_id, jobs_done, places)
VALUES (
    :host, :incarnation, :slot, :pool, :role, :pid, :create_time_s, :boot_id, :started_at_ms,
    :ready, :beat, :last_beat_mono_ms, :job_id, :jobs_done, :places);

-- name: beat
-- Store a heartbeat; the process itself writes it.
UPDATE processes SET ready = ?, beat = ?, last_beat_mono_ms = ?, job_id = ?, jobs_done = ?
WHERE incarnation = ?;

-- name: touch
-- Write a page that heartbeats are in, and one of those of each job, as they are: it shows whether they
-- can be written. A page is written only if it changes meanwhile. Nobody writes where no process has
-- a row, and neither does this.
UPDATE processes SET beat = beat + 1;
UPDATE processes SET beat = beat - 1;
UPDATE job_counts SET n = n + 1 WHERE EXISTS (SELECT 1 FROM processes);
UPDATE job_counts SET n = n - 1 WHERE EXISTS (SELECT 1 FROM processes);

-- name: forget
-- Delete the row of a process that has ended.
DELETE FROM processes WHERE incarnation = ?;

-- name: forget-without-leases
-- Delete the row of a dead process without leases: else somebody must learn whose leases they were.
DELETE FROM processes WHERE incarnation = ?1 AND NOT EXISTS (
    SELECT 1 FROM jobs INDEXED BY jobs_leased
    WHERE status = 'in_progress' AND lease_incarnation = ?1);

-- name: all-processes
-- Every process that has a row, with the fields of ProcessRecord as columns.
SELECT host, incarnation, slot, pool, role, pid, create_time_s, boot_id, started_at_ms,
    ready, beat, last_beat_mono_ms, job_id, jobs_done, places
FROM processes ORDER BY host, slot, incarnation;

-- name: put-slot
-- Store a slot as the supervisor sees it.
INSERT OR REPLACE INTO slots (
    host, slot, position, pool, role, state, degraded, reason, pid, incarnation,
    cpu_percent, rss_bytes, started_at_ms, restarts, exits, rejected, until_ms, "order",
    waits)
VALUES (
    :host, :slot, :position, :pool, :role, :state, :degraded, :reason, :pid, :incarnation,
    :cpu_percent, :rss_bytes, :started_at_ms, :restarts, :exits, :rejected, :until_ms, :order,
    :waits);

-- name: remove-slot
-- Delete a slot that is no longer configured on its host.
DELETE FROM slots WHERE host = ? AND slot = ?;

-- name: clear-slots
-- Delete the slots that an earlier supervisor of a host has left; NULL: of every host.
DELETE FROM slots WHERE host = coalesce(?, host);

-- name: all-slots
-- Every slot, host by host in its supervisor's order, with the fields of SlotRecord as columns.
SELECT host, slot, pool, role, state, degraded, reason, pid, incarnation,
    cpu_percent, rss_bytes, started_at_ms, restarts, exits, rejected, until_ms, "order",
    waits
FROM slots ORDER BY host, position, slot;
