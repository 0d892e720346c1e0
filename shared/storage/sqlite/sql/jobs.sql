-- name: equals-in-order
-- Compares the first column of an index with a value, where it stands in ORDER BY too.
= ?
