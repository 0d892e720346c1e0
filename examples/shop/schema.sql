CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer TEXT NOT NULL,
    product TEXT NOT NULL,
    count INTEGER NOT NULL,
    ordered_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE payments (
    key TEXT PRIMARY KEY,  -- nothing is charged twice with the same key
    order_id INTEGER NOT NULL,
    amount INTEGER NOT NULL,  -- in cents; below 0: a refund
    requests INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE parcels (
    key TEXT PRIMARY KEY,  -- nothing is shipped twice with the same key
    order_id INTEGER NOT NULL,
    requests INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE mails (
    key TEXT PRIMARY KEY,  -- no mail is sent twice with the same key
    recipient TEXT NOT NULL,
    order_id INTEGER NOT NULL,
    subject TEXT NOT NULL
);

-- The rest is what `orpheus outbox schema sqlite` prints.
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
