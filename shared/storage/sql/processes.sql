-- name: register
-- Insert the heartbeat row of a process.
INSERT INTO orpheus.processes (
    host, incarnation, slot, pool, role, pid, create_time_s, boot_id, started_at_ms,
    ready, beat, last_beat_mono_ms, job_id, jobs_done, places, build)
VALUES (
    :host, :incarnation, :slot, :pool, :role, :pid, :create_time_s, :boot_id, :started_at_ms,
    :ready, :beat, :last_beat_mono_ms, :job_id, :jobs_done, :places, :build)
ON CONFLICT (incarnation) DO UPDATE SET
    host = excluded.host, slot = excluded.slot, pool = excluded.pool, role = excluded.role,
    pid = excluded.pid, create_time_s = excluded.create_time_s, boot_id = excluded.boot_id,
    started_at_ms = excluded.started_at_ms, ready = excluded.ready, beat = excluded.beat,
    last_beat_mono_ms = excluded.last_beat_mono_ms, job_id = excluded.job_id,
    jobs_done = excluded.jobs_done, places = excluded.places, build = excluded.build;

-- name: beat
-- Store a heartbeat; the process itself writes it.
UPDATE orpheus.processes SET ready = ?, beat = ?, last_beat_mono_ms = ?, job_id = ?, jobs_done = ?
WHERE incarnation = ?;

-- name: forget
-- Delete the row of a process that has ended.
DELETE FROM orpheus.processes WHERE incarnation = ?;

-- name: forget-without-leases
-- Delete the row of a dead process without leases: else somebody must learn whose leases they were.
DELETE FROM orpheus.processes WHERE incarnation = ?1 AND NOT EXISTS (
    SELECT 1 FROM orpheus.jobs INDEXED BY jobs_by_status
    WHERE status = 'in_progress' AND lease_incarnation = ?1);

-- name: all-processes
-- Every process that has a row, with the fields of ProcessRecord as columns.
SELECT host, incarnation, slot, pool, role, pid, create_time_s, boot_id, started_at_ms,
    ready, beat, last_beat_mono_ms, job_id, jobs_done, places, build
FROM orpheus.processes ORDER BY host, slot, incarnation;

-- name: put-slot
-- Store a slot as the supervisor sees it.
INSERT INTO orpheus.slots (
    host, slot, position, pool, role, state, degraded, reason, pid, incarnation,
    cpu_percent, rss_bytes, started_at_ms, restarts, exits, rejected, until_ms, "order",
    waits)
VALUES (
    :host, :slot, :position, :pool, :role, :state, :degraded, :reason, :pid, :incarnation,
    :cpu_percent, :rss_bytes, :started_at_ms, :restarts, :exits, :rejected, :until_ms, :order,
    :waits)
ON CONFLICT (host, slot) DO UPDATE SET
    position = excluded.position, pool = excluded.pool, role = excluded.role,
    state = excluded.state, degraded = excluded.degraded, reason = excluded.reason,
    pid = excluded.pid, incarnation = excluded.incarnation, cpu_percent = excluded.cpu_percent,
    rss_bytes = excluded.rss_bytes, started_at_ms = excluded.started_at_ms,
    restarts = excluded.restarts, exits = excluded.exits, rejected = excluded.rejected,
    until_ms = excluded.until_ms, "order" = excluded."order", waits = excluded.waits;

-- name: remove-slot
-- Delete a slot that is no longer configured on its host.
DELETE FROM orpheus.slots WHERE host = ? AND slot = ?;

-- name: clear-slots
-- Delete the slots that an earlier supervisor of a host has left; NULL: of every host.
DELETE FROM orpheus.slots WHERE host = coalesce(?, host);

-- name: all-slots
-- Every slot, host by host in its supervisor's order, with the fields of SlotRecord as columns.
SELECT host, slot, pool, role, state, degraded, reason, pid, incarnation,
    cpu_percent, rss_bytes, started_at_ms, restarts, exits, rejected, until_ms, "order",
    waits
FROM orpheus.slots ORDER BY host, position, slot;
