-- The same changes as in SQLite.
-- Whose signatures a project's images carry. Without a row jobs run anything.
CREATE TABLE oci_signing (
    project_id BIGINT PRIMARY KEY REFERENCES project (id) ON DELETE CASCADE,
    -- Whether jobs run nothing else (0 or 1).
    required BIGINT NOT NULL,
    -- JSON: names, and keys in PEM.
    keys TEXT NOT NULL,
    modified BIGINT NOT NULL
);
