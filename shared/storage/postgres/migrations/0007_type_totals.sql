-- What each job type costs (shared/storage/type_totals.py): 'waited' and 'ran' in ms, 'cpu' in us, by
-- bucket; 'memory' in bytes. `most` is the largest value in the bucket. Type '': all that are not described.
-- As of other counts, what is true is the sum of all rows.
CREATE TABLE orpheus.type_totals (
    type text COLLATE "C" NOT NULL,
    measure text COLLATE "C" NOT NULL CHECK (measure IN ('waited', 'ran', 'cpu', 'memory')),
    outcome text COLLATE "C" NOT NULL,
    bucket bigint NOT NULL,
    n bigint NOT NULL,
    total bigint NOT NULL,
    most bigint NOT NULL,
    is_sum smallint NOT NULL DEFAULT 0
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- How long the jobs that were done in this minute ran, in ms: with their number, the pace of a queue.
ALTER TABLE orpheus.finished_per_minute ADD COLUMN ran_ms bigint NOT NULL DEFAULT 0;

-- As before, and for the new table and column.
CREATE OR REPLACE FUNCTION orpheus.fold_counts() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off AS $$
BEGIN
    IF (SELECT count(*) FROM orpheus.job_counts WHERE is_sum = 0) > 200 THEN
        WITH unfolded AS (DELETE FROM orpheus.job_counts RETURNING queue, status, n)
        INSERT INTO orpheus.job_counts (queue, status, n, is_sum)
        SELECT queue, status, sum(n), 1 FROM unfolded GROUP BY queue, status;
    END IF;
    IF (SELECT count(*) FROM orpheus.totals WHERE is_sum = 0) > 200 THEN
        WITH unfolded AS (DELETE FROM orpheus.totals RETURNING measure, outcome, bucket, n, sum_ms)
        INSERT INTO orpheus.totals (measure, outcome, bucket, n, sum_ms, is_sum)
        SELECT measure, outcome, bucket, sum(n), sum(sum_ms), 1 FROM unfolded
        GROUP BY measure, outcome, bucket;
    END IF;
    -- Of the minutes only those that have unfolded rows: there are 43,200 in a month.
    IF (SELECT count(*) FROM orpheus.finished_per_minute WHERE is_sum = 0) > 200 THEN
        WITH minutes AS (
            SELECT DISTINCT minute FROM orpheus.finished_per_minute WHERE is_sum = 0),
        unfolded AS (
            DELETE FROM orpheus.finished_per_minute USING minutes
            WHERE finished_per_minute.minute = minutes.minute
            RETURNING finished_per_minute.minute, queue, status, n, ran_ms)
        INSERT INTO orpheus.finished_per_minute (minute, queue, status, n, ran_ms, is_sum)
        SELECT minute, queue, status, sum(n), sum(ran_ms), 1 FROM unfolded
        GROUP BY minute, queue, status;
    END IF;
    IF (SELECT count(*) FROM orpheus.type_totals WHERE is_sum = 0) > 200 THEN
        WITH unfolded AS (
            DELETE FROM orpheus.type_totals
            RETURNING type, measure, outcome, bucket, n, total, most)
        INSERT INTO orpheus.type_totals (type, measure, outcome, bucket, n, total, most, is_sum)
        SELECT type, measure, outcome, bucket, sum(n), sum(total), max(most), 1 FROM unfolded
        GROUP BY type, measure, outcome, bucket;
    END IF;
END $$;
