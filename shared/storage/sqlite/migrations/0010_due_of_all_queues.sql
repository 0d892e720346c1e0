-- What may be leased now of all queues, in the order of leasing: with a thousand queues, merging them
-- cost twelve times as much as reading one (shared/storage/sqlite/due_jobs.py).
CREATE INDEX jobs_due_of_all ON jobs (priority DESC, run_at_ms, id)
    WHERE status = 'pending' AND is_due = 1;
-- 0001 once made this index with another condition; the queries name it, and only this one fits them.
DROP INDEX jobs_unique_key;
CREATE UNIQUE INDEX jobs_unique_key ON jobs (unique_key)
    WHERE unique_key IS NOT NULL AND finished_at_ms IS NULL;
