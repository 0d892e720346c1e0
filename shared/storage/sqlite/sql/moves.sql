-- name: tables-to-close
-- The tables that must not change, so that those of this JSON list do not.
SELECT value FROM json_each(?);

-- name: close-table
-- Refuse every change of a table, by whoever has the database open. {table} is replaced.
CREATE TRIGGER IF NOT EXISTS closed_{table}_insert BEFORE INSERT ON {table}
    BEGIN SELECT RAISE(ABORT, (SELECT says FROM moves)); END;
CREATE TRIGGER IF NOT EXISTS closed_{table}_update BEFORE UPDATE ON {table}
    BEGIN SELECT RAISE(ABORT, (SELECT says FROM moves)); END;
CREATE TRIGGER IF NOT EXISTS closed_{table}_delete BEFORE DELETE ON {table}
    BEGIN SELECT RAISE(ABORT, (SELECT says FROM moves)); END;

-- name: open-table
-- Let a table be changed again. {table} is replaced.
DROP TRIGGER IF EXISTS closed_{table}_insert;
DROP TRIGGER IF EXISTS closed_{table}_update;
DROP TRIGGER IF EXISTS closed_{table}_delete;

-- name: rows-of-events
-- The next events: as `rows` of moves.sql.
SELECT {columns} FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2;

-- name: new-epoch
-- Let the events from here on belong to another history. No job in it gets an id that was given in the
-- one before: others may know that job by its id.
UPDATE sqlite_sequence SET seq = seq + 10000000000 WHERE name = 'jobs';
UPDATE history SET epoch = lower(hex(randomblob(8)));

-- name: schema-version
-- The version of the schema; shared/storage/sqlite/opening.py says what the number has.
SELECT user_version % 10000 FROM pragma_user_version;

-- name: columns
-- The columns of a table.
SELECT name FROM pragma_table_info(?) ORDER BY cid;

-- name: counters
-- The last id, token and event number that was given, though its row may be deleted.
SELECT name, seq FROM sqlite_sequence
WHERE name IN ('jobs', 'job_logs', 'audit', 'timeline', 'events', 'lease_tokens');

-- name: set-counter
-- Let the next id, token or event number be after this one.
DELETE FROM sqlite_sequence WHERE name = :name;
INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last);
