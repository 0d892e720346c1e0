-- How many attempts in a row were lost: from the second on they spend a retry.
ALTER TABLE jobs ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
