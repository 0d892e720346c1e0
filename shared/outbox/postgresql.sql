-- An outbox: jobs that an application submits in its own transaction. Orpheus makes a job of each row
-- that is committed, and deletes the row. It needs SELECT, UPDATE and DELETE on the table.
CREATE TABLE "orpheus_outbox" (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- no id is ever used again
    type text NOT NULL,                                  -- the job type, or 'signal:NAME'
    payload text NOT NULL DEFAULT '{}',                  -- a JSON object; of a signal any JSON
    queue text,                                          -- this and the next five may be NULL
    priority integer,
    run_at timestamptz,
    unique_key text,                                     -- of a signal: its key
    concurrency_key text,
    tags text,                                           -- a JSON list: '["invoice"]'
    refused_at timestamptz,                              -- set by Orpheus if the row is no valid job;
    refused_reason text                                  -- set refused_at to NULL to try it again
);
CREATE INDEX "orpheus_outbox_waiting" ON "orpheus_outbox" (id) WHERE refused_at IS NULL;
