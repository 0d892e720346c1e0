-- name: change-count
-- Change the number of jobs of a queue in a status. max(): the CHECK also tests the row that would be
-- inserted, which a decrease would make negative.
INSERT INTO job_counts (queue, status, n) VALUES (?1, ?2, max(?3, 0))
ON CONFLICT (queue, status) DO UPDATE SET n = n + ?3;

-- name: add-type-total
-- Add to the jobs or attempts of a minute, queue and type in a bucket of what they took. A type that is
-- not described is ''. Minute 0: what is in `past`, with its types as they were.
INSERT INTO type_totals (minute, queue, type, measure, outcome, bucket, n, total, most)
VALUES (?1, ?2, iif(?1 = 0 OR EXISTS (SELECT 1 FROM job_types WHERE name = ?3), ?3, ''),
    ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (minute, queue, type, measure, outcome, bucket)
DO UPDATE SET n = n + excluded.n, total = total + excluded.total, most = max(most, excluded.most);
