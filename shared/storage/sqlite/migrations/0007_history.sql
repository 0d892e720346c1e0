-- The name of this history of the database: what the numbers of its events belong to.
CREATE TABLE history (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    epoch TEXT NOT NULL
) STRICT;
INSERT INTO history VALUES (1, lower(hex(randomblob(8))));
