-- What the supervisor of a host answers to a request that another host has made. Here there is one host, so
-- nobody asks.
CREATE TABLE answers (
    request_id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
