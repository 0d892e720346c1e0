-- name: seen
-- The events of some kinds in a range, in order.
SELECT before_seq + position, at_ms, kind, body
FROM orpheus.event_batches JOIN orpheus.event_bodies USING (batch)
WHERE last_seq > ?1 AND before_seq < ?2
    AND before_seq + position > ?1 AND before_seq + position <= ?2
    AND kind IN (SELECT value FROM {listed-names} AS wanted) ORDER BY last_seq, position;
