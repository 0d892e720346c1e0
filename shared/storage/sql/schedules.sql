-- part: schedule-columns
-- The fields of ScheduleRow (shared/storage/data.py), after its name.
name, definition, tick_ms, paused, last_run_ms, last_job_id, missed_ms, source, skipped_ms, skipped_for

-- name: all-schedules
-- Every schedule.
SELECT {schedule-columns} FROM orpheus.schedules ORDER BY name;

-- name: one-schedule
-- One schedule.
SELECT {schedule-columns} FROM orpheus.schedules WHERE name = ?;

-- name: put-schedule
-- Store a new definition and its next tick; the rest is not changed. The configuration takes over what
-- a program has put; a program changes nothing of the configuration.
INSERT INTO orpheus.schedules (name, definition, tick_ms, source) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (name) DO UPDATE SET definition = ?2, tick_ms = ?3, source = ?4
WHERE schedules.source = ?4 OR ?4 = 'file';

-- name: remove-schedule
-- Delete a schedule of the configuration or of a program.
DELETE FROM orpheus.schedules WHERE name = ? AND source = ?;

-- name: move-tick
-- Move to the next tick, if no other process did: the process that changes this row fires the tick.
UPDATE orpheus.schedules SET tick_ms = ? WHERE name = ? AND tick_ms IS NOT DISTINCT FROM ?;

-- name: set-paused
-- Pause or resume by an operator. A resumed schedule waits for its next tick; missed ticks are dropped.
UPDATE orpheus.schedules SET paused = ?, tick_ms = ?, missed_ms = NULL WHERE name = ?;

-- name: note-run
-- Store when it ran last, and its job.
UPDATE orpheus.schedules SET last_run_ms = ?, last_job_id = ?, missed_ms = NULL, skipped_ms = NULL,
    skipped_for = NULL
WHERE name = ?;

-- name: note-missed
-- Store that a tick passed and made no job.
UPDATE orpheus.schedules SET missed_ms = ? WHERE name = ?;

-- name: note-skipped
-- Store that a tick made no job because a job had not ended.
UPDATE orpheus.schedules SET skipped_ms = ?, skipped_for = ? WHERE name = ?;

-- name: has-not-ended
-- Is a job there and live?
SELECT 1 FROM orpheus.jobs WHERE id = ? AND finished_at_ms IS NULL;

-- name: ticks-with-job
-- The ticks between two times for which there is a job with a tag.
SELECT scheduled_ms FROM orpheus.jobs INDEXED BY jobs_of_ticks
WHERE scheduled_ms IS NOT NULL AND scheduled_ms BETWEEN ? AND ?
    AND EXISTS (SELECT 1 FROM orpheus.job_tags WHERE tag = ? AND job_id = jobs.id);

-- name: pauses
-- Every paused schedule that an operator has paused: who did it last, why, and when.
SELECT name, by, reason, at_ms FROM orpheus.schedules CROSS JOIN orpheus.audit ON id = (
    SELECT id FROM orpheus.audit AS one INDEXED BY audit_by_target
    WHERE target = 'schedule ' || name AND action = 'pause' ORDER BY id DESC LIMIT 1)
WHERE paused = 1;

-- name: last-runs
-- The last five jobs with a tag, newest first.
SELECT tag, jobs.id, created_at_ms, status, started_at_ms, {ran-until-column}, error_type
FROM orpheus.job_tags CROSS JOIN orpheus.jobs ON jobs.id = job_id
WHERE tag = ? ORDER BY job_id DESC LIMIT 5;
