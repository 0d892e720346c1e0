-- That this database is being moved, or was (shared/operations/moving.py): 'arriving': rows are being
-- copied to it; 'leaving': from it; 'left': all of it has been copied. `move` is the same in both.
-- `says` tells what a person may do: those who start on it, or change a database that is left, read it.
CREATE TABLE orpheus.moves (
    one smallint PRIMARY KEY CHECK (one = 1),
    state text COLLATE "C" NOT NULL CHECK (state IN ('arriving', 'leaving', 'left')),
    move text COLLATE "C" NOT NULL,
    says text COLLATE "C" NOT NULL
);

-- The trigger of each table of a database that is left. Events that were committed before it was closed
-- must still get their numbers, so number_events() may take them away.
CREATE FUNCTION orpheus.refuse_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF TG_TABLE_NAME <> 'new_events' OR TG_OP <> 'DELETE' THEN
        RAISE EXCEPTION USING ERRCODE = 'read_only_sql_transaction',
            MESSAGE = (SELECT says FROM orpheus.moves);
    END IF;
    RETURN NULL;
END $$;
