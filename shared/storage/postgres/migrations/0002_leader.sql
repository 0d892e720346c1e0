-- The process that does what one of all hosts has to do, until its time on the database's clock is
-- over. It renews it; any other takes the row over after that.
CREATE TABLE orpheus.leader (
    only_row smallint PRIMARY KEY CHECK (only_row = 1),
    host text COLLATE "C" NOT NULL,
    incarnation text COLLATE "C" NOT NULL,
    expires_ms bigint NOT NULL
) WITH (fillfactor = 50);
