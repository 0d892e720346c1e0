-- How the target of an operator's action stood before and after; NULL: not known.
ALTER TABLE orpheus.audit ADD COLUMN before text COLLATE "C", ADD COLUMN after text COLLATE "C";
