-- What is to become of the slot, as 'drained'; NULL: it stays. And why it does not start although it
-- could: '' if it need not wait. `reason` no longer says so.
ALTER TABLE orpheus.slots ADD COLUMN "order" text;
ALTER TABLE orpheus.slots ADD COLUMN waits text NOT NULL DEFAULT '';
