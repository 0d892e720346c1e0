-- name: change-count
-- Change the number of jobs of a queue in a status: the sum of all rows is the number.
INSERT INTO orpheus.job_counts (queue, status, n) VALUES (?, ?, ?);

-- name: add-type-total
-- Add to the jobs or attempts of a minute, queue and type in a bucket of what they took. A type that is
-- not described is ''. Minute 0: what is in `past`, with its types as they were. Of many rows at once.
INSERT INTO orpheus.type_totals (minute, queue, type, measure, outcome, bucket, n, total, most)
SELECT minute, added.queue, CASE WHEN minute = 0 THEN added.type ELSE coalesce(job_types.name, '') END,
    measure, outcome, bucket, n, total, most
FROM unnest(?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[], ?::bigint[],
        ?::bigint[], ?::bigint[])
        AS added (minute, queue, type, measure, outcome, bucket, n, total, most)
    LEFT JOIN orpheus.job_types ON job_types.name = added.type AND is_newest = 1;
