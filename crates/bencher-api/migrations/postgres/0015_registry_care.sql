-- The same changes as in SQLite.
-- What follows a blob's digest in its name in the blob store: each upload brings a copy under a name of its own, so that removing one
-- never meets another on its way in. Empty for what was stored before.
ALTER TABLE oci_blob ADD COLUMN copy_id TEXT NOT NULL DEFAULT '';
-- When the content was last read and found to be what its digest says.
ALTER TABLE oci_blob ADD COLUMN verified BIGINT;
-- Since when it is known to be damaged or missing, and so not served.
ALTER TABLE oci_blob ADD COLUMN quarantined BIGINT;
CREATE INDEX oci_blob_verified ON oci_blob (verified) WHERE quarantined IS NULL;
CREATE INDEX oci_blob_quarantined ON oci_blob (quarantined) WHERE quarantined IS NOT NULL;

-- Since when nothing needs it: no manifest of the repository refers to it, and no lease is on it.
ALTER TABLE oci_repository_blob ADD COLUMN unreferenced BIGINT;
CREATE INDEX oci_repository_blob_unreferenced ON oci_repository_blob (repository_id, digest) WHERE unreferenced IS NOT NULL;

-- Since when the rules of its project keep it no longer.
ALTER TABLE oci_manifest ADD COLUMN expired BIGINT;

-- What is in the blob store and belongs to nothing, by its name there, and when that was first seen.
CREATE TABLE oci_stray (
    name TEXT PRIMARY KEY,
    seen BIGINT NOT NULL
);

-- Work that one server does at a time: who has it in hand until when, and what came of it last.
CREATE TABLE oci_care (
    name TEXT PRIMARY KEY,
    holder TEXT,
    held_until BIGINT NOT NULL,
    began BIGINT NOT NULL,
    ended BIGINT,
    -- JSON.
    outcome TEXT
);

-- Which tags and manifests of a project are kept. What no rule keeps goes; without a row everything stays.
CREATE TABLE oci_retention (
    project_id BIGINT PRIMARY KEY REFERENCES project (id) ON DELETE CASCADE,
    -- The newest so many tags of each repository.
    keep_tags BIGINT,
    -- What was pushed in the last so many days.
    keep_days BIGINT,
    -- What jobs of the last so many days ran.
    keep_used_days BIGINT,
    modified BIGINT NOT NULL
);

-- Bytes that an admin of the server lets the registry hold for it, instead of the server's default.
ALTER TABLE project ADD COLUMN registry_quota BIGINT;
ALTER TABLE organization ADD COLUMN registry_quota BIGINT;

-- What the repositories of a project hold, each blob once. Written by triggers only, so that no code can forget it.
CREATE TABLE oci_usage (
    project_id BIGINT PRIMARY KEY REFERENCES project (id) ON DELETE CASCADE,
    blobs BIGINT NOT NULL,
    bytes BIGINT NOT NULL
);
INSERT INTO oci_usage (project_id, blobs, bytes)
SELECT held.project_id, COUNT(*), CAST(SUM(oci_blob.size) AS BIGINT)
FROM (SELECT DISTINCT oci_repository.project_id, oci_repository_blob.digest FROM oci_repository_blob
    JOIN oci_repository ON oci_repository.id = oci_repository_blob.repository_id) AS held
JOIN oci_blob ON oci_blob.digest = held.digest GROUP BY held.project_id;

CREATE FUNCTION oci_usage_of_blob() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held oci_repository_blob%ROWTYPE;
    sign BIGINT := 1;
    owner BIGINT;
BEGIN
    IF TG_OP = 'INSERT' THEN
        held := NEW;
    ELSE
        held := OLD;
        sign := -1;
    END IF;
    SELECT project_id INTO owner FROM oci_repository WHERE id = held.repository_id;
    -- The repository goes with its project, and so does what is counted for it.
    IF owner IS NULL THEN
        RETURN NULL;
    END IF;
    -- One at a time for each project: two repositories that come to hold the same blob at once count it once. The update changes
    -- nothing; it takes the row.
    INSERT INTO oci_usage (project_id, blobs, bytes) VALUES (owner, 0, 0)
        ON CONFLICT (project_id) DO UPDATE SET blobs = oci_usage.blobs;
    IF NOT EXISTS (SELECT 1 FROM oci_repository_blob AS other JOIN oci_repository ON oci_repository.id = other.repository_id
        WHERE other.digest = held.digest AND other.repository_id <> held.repository_id AND oci_repository.project_id = owner)
    THEN
        UPDATE oci_usage SET blobs = blobs + sign,
            bytes = bytes + sign * (SELECT size FROM oci_blob WHERE digest = held.digest) WHERE project_id = owner;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER oci_usage_of_blob AFTER INSERT OR DELETE ON oci_repository_blob FOR EACH ROW EXECUTE FUNCTION oci_usage_of_blob();
