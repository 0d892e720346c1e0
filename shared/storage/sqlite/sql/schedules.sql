-- name: all-schedules
-- Every schedule.
SELECT name, definition, tick_ms, paused, last_run_ms, last_job_id FROM schedules ORDER BY name;

-- name: get-schedule
-- One schedule.
SELECT name, definition, tick_ms, paused, last_run_ms, last_job_id FROM schedules WHERE name = ?;

-- name: put-schedule
-- A new definition, with the tick it waits for; the rest stays.
INSERT INTO schedules (name, definition, tick_ms) VALUES (?1, ?2, ?3)
ON CONFLICT (name) DO UPDATE SET definition = ?2, tick_ms = ?3;

-- name: remove-schedule
-- One that is not configured any more.
DELETE FROM schedules WHERE name = ?;

-- name: move-tick
-- Wait for another tick, if nobody else has moved it: whoever changes this row fires the tick.
UPDATE schedules SET tick_ms = ? WHERE name = ? AND tick_ms = ?;

-- name: set-paused
-- An operator's word. A resumed schedule waits for its next tick: those it slept through are gone.
UPDATE schedules SET paused = ?, tick_ms = ? WHERE name = ?;

-- name: note-run
-- What it enqueued last.
UPDATE schedules SET last_run_ms = ?, last_job_id = ? WHERE name = ?;
