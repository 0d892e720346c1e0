-- How the target of an operator's action stood before and after; NULL: not known.
ALTER TABLE audit ADD COLUMN before TEXT;
ALTER TABLE audit ADD COLUMN after TEXT;
