-- SQLite writes a row whole, so each lease and each end of a job wrote its payload again: 3 MB for one
-- of 1 MB. A payload of over 1,000 characters has a row of its own; in its job it is '', which is not
-- JSON.
CREATE TABLE large_payloads (
    job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    payload TEXT NOT NULL
) STRICT;
INSERT INTO large_payloads SELECT id, payload FROM jobs WHERE length(payload) > 1000;
UPDATE jobs SET payload = '' WHERE length(payload) > 1000;
