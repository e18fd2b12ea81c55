-- The same change as in PostgreSQL.
-- JSON: the results of a report that could not be read; NULL where all of them were.
ALTER TABLE report ADD COLUMN problems TEXT;
