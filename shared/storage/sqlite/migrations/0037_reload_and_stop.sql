-- A supervisor can be asked to reload and to stop, too. A request that waits is not worth keeping: a
-- supervisor that starts forgets those to an earlier one.
DROP TABLE requests;
CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('restart', 'drain', 'stack', 'scale', 'reload', 'stop')),
    target TEXT NOT NULL,
    workers INTEGER CHECK (workers >= 0),
    host TEXT NOT NULL DEFAULT '',
    CHECK ((action = 'scale') = (workers IS NOT NULL))
) STRICT;
