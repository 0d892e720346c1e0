-- The jobs that ended, also by type: of a type, all may fail beside a million others that are done.
ALTER TABLE finished_per_minute RENAME TO finished_before;
CREATE TABLE finished_per_minute (
    minute INTEGER NOT NULL,
    queue TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    n INTEGER NOT NULL,
    ran_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (minute, queue, type, status)
) STRICT, WITHOUT ROWID;
INSERT INTO finished_per_minute SELECT minute, queue, '', status, n, ran_ms FROM finished_before;
DROP TABLE finished_before;
