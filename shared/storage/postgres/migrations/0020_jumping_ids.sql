-- The name of this history. A database that was restored from a dump has other oids, and one that was
-- restored by its log, or whose standby took over, has another timeline.
CREATE VIEW orpheus.this_history AS
    SELECT left(md5(concat_ws('/', epoch, pg_database.oid, 'orpheus.jobs'::regclass::oid,
        left(pg_walfile_name(pg_current_wal_lsn()), 8))), 16) AS name
    FROM orpheus.history, pg_database WHERE datname = current_database();

-- No job gets the id of a job that another history has lost: others may know that by its id. So the
-- first job of a history gets an id far beyond any that was given before. A number that stands for the
-- history of the ids is kept as the value of a sequence, so that a transaction which stays open, or is
-- rolled back, holds nobody up.
CREATE SEQUENCE orpheus.history_of_ids MINVALUE 0;
SELECT setval('orpheus.history_of_ids', ('x' || left(name, 15))::bit(60)::bigint)
FROM orpheus.this_history;
-- It runs as the owner of the schema: the role of an application may not set a sequence.
CREATE FUNCTION orpheus.jump_ids() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    here bigint;
BEGIN
    SELECT ('x' || left(name, 15))::bit(60)::bigint INTO here FROM orpheus.this_history;
    IF here = (SELECT last_value FROM orpheus.history_of_ids) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(5715719147254448131);
    IF here <> (SELECT last_value FROM orpheus.history_of_ids) THEN
        PERFORM setval('orpheus.jobs_id_seq', last_value + 10000000000)
            FROM orpheus.jobs_id_seq WHERE is_called;
        PERFORM setval('orpheus.history_of_ids', here);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER jump_ids BEFORE INSERT ON orpheus.jobs
    FOR EACH STATEMENT EXECUTE FUNCTION orpheus.jump_ids();
