-- name: mark
-- Whether this database is being moved, or was.
SELECT state, move, says FROM orpheus.moves;

-- name: put-first-mark
-- Note a move, unless one is noted.
INSERT INTO orpheus.moves (one, state, move, says) VALUES (1, ?, ?, ?)
ON CONFLICT (one) DO NOTHING;

-- name: replace-mark
-- Note a move instead of the one that was noted, unless that has changed.
UPDATE orpheus.moves SET state = ?, move = ?, says = ? WHERE move = ?;

-- name: hold-mark
-- Whether this move is still noted; if so, nobody notes another before this transaction ends.
SELECT 1 FROM orpheus.moves WHERE move = ? FOR SHARE;

-- name: delete-mark
-- It is an ordinary database again.
DELETE FROM orpheus.moves;

-- name: any-row
-- Whether a table has a row. {table} is replaced.
SELECT 1 FROM orpheus.{table} LIMIT 1;

-- name: count-rows
-- The number of the rows that `rows` reads. What stands in braces is replaced.
SELECT count(*) FROM (SELECT DISTINCT {key} FROM orpheus.{table}) AS found;

-- name: last-key
-- The key of the last row in the order of `rows`. What stands in braces is replaced.
SELECT {key} FROM orpheus.{table} ORDER BY {descending} LIMIT 1;

-- name: rows
-- The next rows in the order of their keys; counts as one row for each key. What stands in braces is
-- replaced.
SELECT {columns} FROM orpheus.{table} WHERE {condition} {group} ORDER BY {key} LIMIT ?;
