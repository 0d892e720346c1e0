-- What operators ask of the supervisor: written by the API and the command line, taken and deleted
-- by the supervisor. `workers` is for 'scale' only.
CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('restart', 'drain', 'stack', 'scale')),
    target TEXT NOT NULL,
    workers INTEGER CHECK (workers >= 0),
    CHECK ((action = 'scale') = (workers IS NOT NULL))
) STRICT;

-- How often processes ended, by cause, since the supervisor started.
CREATE TABLE exit_counts (
    slot TEXT NOT NULL,
    cause TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (slot, cause)
) STRICT, WITHOUT ROWID;

-- What the supervisor measures of itself, in seconds, by name.
CREATE TABLE supervisor_gauges (
    name TEXT PRIMARY KEY,
    value REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Not the last exit alone: a list, the newest first. The rows are written anew at each start.
DELETE FROM slots;
ALTER TABLE slots DROP COLUMN last_exit;
ALTER TABLE slots ADD COLUMN exits TEXT NOT NULL DEFAULT '[]';
