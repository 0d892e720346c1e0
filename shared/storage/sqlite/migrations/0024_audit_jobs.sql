-- Which jobs an action on many has changed: the entry in the audit log has only its filter.
CREATE TABLE audit_jobs (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    audit_id INTEGER NOT NULL,
    PRIMARY KEY (job_id, audit_id)
) STRICT, WITHOUT ROWID;
