-- Which jobs an action on many has changed: the entry in the audit log has only its filter.
CREATE TABLE orpheus.audit_jobs (
    job_id bigint NOT NULL REFERENCES orpheus.jobs (id) ON DELETE CASCADE,
    audit_id bigint NOT NULL,
    PRIMARY KEY (job_id, audit_id)
);
