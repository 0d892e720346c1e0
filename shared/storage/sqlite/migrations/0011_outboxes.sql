-- What the drainer of each outbox remembers: the rows that it has made jobs of and not deleted yet in
-- the application's database (`in_flight`, a JSON list of their ids), and how many it has taken. The
-- ids belong to one place (a digest that tells a table of a database from any other).
CREATE TABLE outboxes (
    name TEXT NOT NULL,
    place TEXT NOT NULL,
    in_flight TEXT NOT NULL DEFAULT '[]',
    accepted INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (name, place)
) STRICT, WITHOUT ROWID;
