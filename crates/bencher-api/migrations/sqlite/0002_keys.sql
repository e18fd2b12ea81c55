-- API tokens of users. The token itself is not here: it is signed again from what is.
CREATE TABLE user_token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- The claims `iss` and `sub`: who issued the token, and the address of the user at that time.
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    creation INTEGER NOT NULL,
    expiration INTEGER NOT NULL,
    revoked INTEGER
);
CREATE INDEX user_token_user ON user_token (user_id);

CREATE TABLE project_key (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    project_id INTEGER NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    creator_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    -- Hexadecimal SHA-256 of the key.
    hash TEXT NOT NULL UNIQUE,
    creation INTEGER NOT NULL,
    expiration INTEGER NOT NULL,
    revoked INTEGER
);
CREATE INDEX project_key_project ON project_key (project_id);
CREATE INDEX project_key_creator ON project_key (creator_id);

-- Where a job of a project that nobody has claimed came from; NULL for all others.
ALTER TABLE job ADD COLUMN source TEXT;
CREATE INDEX job_source ON job (source) WHERE source IS NOT NULL;
-- At most one of a source's jobs is in flight.
CREATE UNIQUE INDEX job_source_in_flight ON job (source) WHERE source IS NOT NULL AND status IN (1, 2);

-- What was created in a project lately is counted.
CREATE INDEX branch_project_created ON branch (project_id, created);
CREATE INDEX testbed_project_created ON testbed (project_id, created);
CREATE INDEX benchmark_project_created ON benchmark (project_id, created);
CREATE INDEX measure_project_created ON measure (project_id, created);
