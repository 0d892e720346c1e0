-- What is to become of the slot, as 'drained'; NULL: it stays. And why it does not start although it
-- could: '' if it need not wait. `reason` no longer says so.
ALTER TABLE slots ADD COLUMN "order" TEXT;
ALTER TABLE slots ADD COLUMN waits TEXT NOT NULL DEFAULT '';
