-- What `why` needs to know. Who paused a queue, without reading the whole log:
CREATE INDEX audit_by_target ON audit (target, id);
-- How many jobs a process runs at once:
ALTER TABLE processes ADD COLUMN places INTEGER NOT NULL DEFAULT 1;
