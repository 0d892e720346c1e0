-- What the supervisor of a host answers to a request that another host has made: the stack of a slot.
CREATE TABLE orpheus.answers (
    request_id bigint PRIMARY KEY,
    at_ms bigint NOT NULL,
    body text COLLATE "C" NOT NULL
);
ALTER TABLE orpheus.requests DROP CONSTRAINT requests_action_check;
ALTER TABLE orpheus.requests ADD CONSTRAINT requests_action_check
    CHECK (action IN ('restart', 'drain', 'stack', 'send_stack', 'scale', 'reload', 'stop'));
