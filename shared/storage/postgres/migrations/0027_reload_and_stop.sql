-- A supervisor can be asked to reload and to stop, too.
ALTER TABLE orpheus.requests DROP CONSTRAINT requests_action_check;
ALTER TABLE orpheus.requests ADD CONSTRAINT requests_action_check
    CHECK (action IN ('restart', 'drain', 'stack', 'scale', 'reload', 'stop'));
