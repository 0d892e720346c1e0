-- As before, but of totals, too, only those that have unfolded rows are written: so it may be called each
-- second. Two long tables are joined, which row by row would take long.
CREATE OR REPLACE FUNCTION orpheus.fold_counts() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off SET enable_hashjoin = on
    SET enable_nestloop = off AS $$
BEGIN
    IF (SELECT count(*) FROM orpheus.job_counts WHERE is_sum = 0) > 200 THEN
        WITH unfolded AS (DELETE FROM orpheus.job_counts RETURNING queue, status, n)
        INSERT INTO orpheus.job_counts (queue, status, n, is_sum)
        SELECT queue, status, sum(n), 1 FROM unfolded GROUP BY queue, status;
    END IF;
    IF (SELECT count(*) FROM orpheus.totals WHERE is_sum = 0) > 200 THEN
        WITH changed AS (SELECT DISTINCT measure, outcome, bucket FROM orpheus.totals WHERE is_sum = 0),
        unfolded AS (
            DELETE FROM orpheus.totals USING changed
            WHERE (totals.measure, totals.outcome, totals.bucket)
                = (changed.measure, changed.outcome, changed.bucket)
            RETURNING totals.measure, totals.outcome, totals.bucket, n, sum_ms)
        INSERT INTO orpheus.totals (measure, outcome, bucket, n, sum_ms, is_sum)
        SELECT measure, outcome, bucket, sum(n), sum(sum_ms), 1 FROM unfolded
        GROUP BY measure, outcome, bucket;
    END IF;
    IF (SELECT count(*) FROM orpheus.finished_per_minute WHERE is_sum = 0) > 200 THEN
        WITH minutes AS (
            SELECT DISTINCT minute FROM orpheus.finished_per_minute WHERE is_sum = 0),
        unfolded AS (
            DELETE FROM orpheus.finished_per_minute USING minutes
            WHERE finished_per_minute.minute = minutes.minute
            RETURNING finished_per_minute.minute, queue, type, status, n, ran_ms)
        INSERT INTO orpheus.finished_per_minute (minute, queue, type, status, n, ran_ms, is_sum)
        SELECT minute, queue, type, status, sum(n), sum(ran_ms), 1 FROM unfolded
        GROUP BY minute, queue, type, status;
    END IF;
    IF (SELECT count(*) FROM orpheus.type_totals WHERE is_sum = 0) > 200 THEN
        WITH changed AS (
            SELECT DISTINCT type, measure, outcome, bucket FROM orpheus.type_totals WHERE is_sum = 0),
        unfolded AS (
            DELETE FROM orpheus.type_totals USING changed
            WHERE (type_totals.type, type_totals.measure, type_totals.outcome, type_totals.bucket)
                = (changed.type, changed.measure, changed.outcome, changed.bucket)
            RETURNING type_totals.type, type_totals.measure, type_totals.outcome, type_totals.bucket,
                n, total, most)
        INSERT INTO orpheus.type_totals (type, measure, outcome, bucket, n, total, most, is_sum)
        SELECT type, measure, outcome, bucket, sum(n), sum(total), max(most), 1 FROM unfolded
        GROUP BY type, measure, outcome, bucket;
    END IF;
END $$;
