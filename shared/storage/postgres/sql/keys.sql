-- name: shorten-rates
-- A rate has changed: no bucket of the queue lacks more than it can hold.
UPDATE orpheus.key_rates SET full_mono_ms = least(full_mono_ms, ?3) WHERE queue = ?1 AND boot_id = ?2;
