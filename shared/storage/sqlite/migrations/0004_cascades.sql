-- A job may end with ten thousand others behind it: each transaction tells some of them, and the
-- rest is done later. So each dependency says whether the job still waits for it.
ALTER TABLE job_dependencies ADD COLUMN waits INTEGER NOT NULL DEFAULT 1 CHECK (waits IN (0, 1));
UPDATE job_dependencies SET waits = 0
WHERE depends_on NOT IN (SELECT id FROM jobs WHERE status IN ('blocked', 'pending', 'in_progress'));
DROP INDEX job_dependents;
CREATE INDEX job_dependents ON job_dependencies (depends_on, waits, job_id);

-- Ended jobs that some of their dependents still wait for: upkeep goes on with them.
CREATE TABLE cascades (
    job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE
) STRICT;
