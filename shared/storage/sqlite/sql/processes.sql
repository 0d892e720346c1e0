-- name: touch
-- Write a page that heartbeats are in, and one of those of each job, as they are: it shows whether they
-- can be written. A page is written only if it changes meanwhile. Nobody writes where no process has
-- a row, and neither does this.
UPDATE processes SET beat = beat + 1;
UPDATE processes SET beat = beat - 1;
UPDATE job_counts SET n = n + 1 WHERE EXISTS (SELECT 1 FROM processes);
UPDATE job_counts SET n = n - 1 WHERE EXISTS (SELECT 1 FROM processes);
