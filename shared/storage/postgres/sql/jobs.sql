-- name: equals-in-order
-- Compares the first column of an index with a value, where it stands in ORDER BY too: then its index is the
-- only one that fits. By `=`, the server may go through all newer jobs by their ids, as it expects jobs
-- of each kind everywhere.
= ANY (ARRAY[?])
