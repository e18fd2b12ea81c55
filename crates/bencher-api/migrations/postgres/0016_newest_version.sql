-- The number of a version beside the head that holds it: the newest of a head, which every report asks for, is the end of a range of one
-- index, however many there are. No version ever gets another number.
ALTER TABLE head_version ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
UPDATE head_version SET number = (SELECT version.number FROM version WHERE version.id = head_version.version_id);
CREATE INDEX head_version_number ON head_version (head_id, number, version_id);
