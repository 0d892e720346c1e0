-- What `why` needs to know. Who paused a queue, without reading the whole log:
CREATE INDEX audit_by_target ON orpheus.audit (target, id);
-- How many jobs a process runs at once:
ALTER TABLE orpheus.processes ADD COLUMN places bigint NOT NULL DEFAULT 1;
