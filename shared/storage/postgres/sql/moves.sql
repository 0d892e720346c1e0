-- name: tables-to-close
-- The tables that must not change, so that those of this JSON list do not. Events that are not
-- numbered yet must still get their numbers, but no new ones may come.
SELECT CASE name WHEN 'events' THEN 'new_batches' ELSE name END
FROM json_array_elements_text(?::json) AS name;

-- name: close-table
-- Refuse every change of a table, by whoever has the database open. {table} is replaced. It waits for
-- the transactions that have changed the table.
CREATE OR REPLACE TRIGGER closed BEFORE INSERT OR UPDATE OR DELETE ON orpheus.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION orpheus.refuse_change();

-- name: open-table
-- Let a table be changed again. {table} is replaced.
DROP TRIGGER IF EXISTS closed ON orpheus.{table};

-- name: rows-of-events
-- The next events: as `rows` of moves.sql, but by their batches.
SELECT {columns} FROM (
    SELECT before_seq + position AS seq, at_ms, kind, job_id, body, last_seq, position
    FROM orpheus.event_batches JOIN orpheus.event_bodies USING (batch)) AS numbered
WHERE last_seq > ?1 AND seq > ?1 ORDER BY last_seq, position LIMIT ?2;

-- name: new-epoch
-- Let the events and ids from here on belong to another history.
UPDATE orpheus.history SET epoch = left(replace(gen_random_uuid()::text, '-', ''), 16);

-- name: schema-version
-- The version of the schema.
SELECT max(version) FROM orpheus.schema_migrations;

-- name: columns
-- The columns of a table, but for the mark of rows that sum up others.
SELECT column_name::text FROM information_schema.columns
WHERE table_schema = 'orpheus' AND table_name = ? AND column_name <> 'is_sum'
ORDER BY ordinal_position;

-- name: counters
-- The last id, token and event number that was given, though its row may be deleted. Of tokens, the
-- greatest that it may have been: the last 20 bits are random (leases.sql).
SELECT 'jobs', CASE WHEN is_called THEN last_value ELSE 0 END FROM orpheus.jobs_id_seq
UNION ALL
SELECT 'job_logs', CASE WHEN is_called THEN last_value ELSE 0 END FROM orpheus.job_logs_id_seq
UNION ALL
SELECT 'audit', CASE WHEN is_called THEN last_value ELSE 0 END FROM orpheus.audit_id_seq
UNION ALL
SELECT 'timeline', CASE WHEN is_called THEN last_value ELSE 0 END FROM orpheus.timeline_id_seq
UNION ALL
SELECT 'lease_tokens', CASE WHEN is_called THEN (last_value + 1 << 20) - 1 ELSE 0 END
FROM orpheus.lease_tokens
UNION ALL
SELECT 'events', last_seq FROM orpheus.history;

-- name: set-counter
-- Let the next id, token or event number be after this one.
WITH numbered AS (
    UPDATE orpheus.history SET last_seq = :last::bigint WHERE :name::text = 'events')
SELECT setval(
    ('orpheus.' || :name || CASE :name WHEN 'lease_tokens' THEN '' ELSE '_id_seq' END)::regclass,
    greatest(CASE :name WHEN 'lease_tokens' THEN :last >> 20 ELSE :last END, 1), :last > 0)
WHERE :name <> 'events';
