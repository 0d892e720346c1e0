-- The host of each process, slot and request: a slot's name is the same on every host. The rows of
-- slots, and what a supervisor counts and measures, are written anew at each start.
ALTER TABLE processes ADD COLUMN host TEXT NOT NULL DEFAULT '';

DELETE FROM requests;
ALTER TABLE requests ADD COLUMN host TEXT NOT NULL DEFAULT '';

DROP TABLE slots;
CREATE TABLE slots (
    host TEXT NOT NULL,
    slot TEXT NOT NULL,
    position INTEGER NOT NULL,
    pool TEXT,
    role TEXT NOT NULL,
    state TEXT NOT NULL,
    degraded INTEGER NOT NULL,
    reason TEXT NOT NULL,
    rejected TEXT, -- why the newest configuration is not in force; of the supervisor alone
    pid INTEGER,
    incarnation TEXT,
    cpu_percent REAL,
    rss_bytes INTEGER,
    started_at_ms INTEGER,
    restarts INTEGER NOT NULL,
    exits TEXT NOT NULL, -- a list, the newest first
    PRIMARY KEY (host, slot)
) STRICT, WITHOUT ROWID;

DROP TABLE exit_counts;
CREATE TABLE exit_counts (
    host TEXT NOT NULL,
    slot TEXT NOT NULL,
    cause TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (host, slot, cause)
) STRICT, WITHOUT ROWID;

DROP TABLE supervisor_gauges;
CREATE TABLE supervisor_gauges (
    host TEXT NOT NULL,
    name TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (host, name)
) STRICT, WITHOUT ROWID;
