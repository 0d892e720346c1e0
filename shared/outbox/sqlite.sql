-- An outbox: jobs that an application submits in its own transaction. Orpheus makes a job of each row
-- that is committed, and deletes the row.
CREATE TABLE "orpheus_outbox" (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- AUTOINCREMENT: no id is ever used again
    type TEXT NOT NULL,                    -- the job type, or 'signal:NAME'
    payload TEXT NOT NULL DEFAULT '{}',    -- a JSON object; of a signal any JSON
    queue TEXT,                            -- this and the next five may be NULL
    priority INTEGER,
    run_at TEXT,                           -- '2026-01-31T12:00:00Z'
    unique_key TEXT,                       -- of a signal: its key
    concurrency_key TEXT,
    tags TEXT,                             -- a JSON list: '["invoice"]'
    refused_at TEXT,                       -- set by Orpheus if the row is no valid job;
    refused_reason TEXT                    -- set refused_at to NULL to have it tried again
);
CREATE INDEX "orpheus_outbox_waiting" ON "orpheus_outbox" (id) WHERE refused_at IS NULL;
