-- Finds who paused a queue, without reading the whole log.
CREATE INDEX audit_by_target ON audit (target, id);
