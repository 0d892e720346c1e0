-- That this database is being moved, or was (shared/operations/moving.py): 'arriving': rows are being
-- copied to it; 'leaving': from it; 'left': all of it has been copied. `move` is the same in both.
-- `says` tells what a person may do: those who start on it, or change a database that is left, read it.
CREATE TABLE moves (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    state TEXT NOT NULL CHECK (state = 'arriving' OR state = 'leaving' OR state = 'left'),
    move TEXT NOT NULL,
    says TEXT NOT NULL
) STRICT;
