-- It numbered all events that there were in one transaction: for a million, 40 s, in which all others
-- waited for the lock and failed. Now up to 5,000 at a time: it returns whether there may be more. One that
-- waits for long does without them: what has a number can be read. Each statement sees what was committed
-- before it, so it must be called in a transaction of its own, READ COMMITTED.
DROP FUNCTION orpheus.number_events();
CREATE FUNCTION orpheus.number_events() RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '1s'
    SET jit = off SET enable_seqscan = off AS $$ -- the table is short, but may have many dead rows
DECLARE
    moved bigint;
BEGIN
    PERFORM id FROM orpheus.new_events ORDER BY id LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    BEGIN
        PERFORM pg_advisory_xact_lock(5715719147254448130);
    EXCEPTION WHEN lock_not_available THEN
        RETURN false;
    END;
    WITH taken AS (
        DELETE FROM orpheus.new_events
        WHERE id IN (SELECT id FROM orpheus.new_events ORDER BY id LIMIT 5000)
        RETURNING id, at_ms, kind, job_id, body)
    INSERT INTO orpheus.events (seq, at_ms, kind, job_id, body)
    SELECT (SELECT last_seq FROM orpheus.history) + row_number() OVER (ORDER BY id),
        at_ms, kind, job_id, body
    FROM taken ORDER BY id;
    GET DIAGNOSTICS moved = ROW_COUNT;
    UPDATE orpheus.history SET last_seq = last_seq + moved WHERE moved > 0;
    RETURN moved = 5000;
END $$;
