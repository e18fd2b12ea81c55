-- The same changes as in PostgreSQL; only key columns are spelled differently.
-- Invitations by mail. They stay until they expire, so that accepting one again changes nothing; taking a member out of an
-- organization takes their invitation along.
CREATE TABLE invitation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    organization_id BIGINT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    -- Lower case.
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    inviter_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires BIGINT NOT NULL,
    created BIGINT NOT NULL,
    -- A later invitation takes the place of an earlier one.
    UNIQUE (organization_id, email)
);
CREATE INDEX invitation_inviter ON invitation (inviter_id);

-- What a deleted organization or project was called: others may take the slug meanwhile.
ALTER TABLE organization ADD COLUMN former_slug TEXT;
ALTER TABLE project ADD COLUMN former_slug TEXT;
-- Since when everything of it is being removed for good.
ALTER TABLE organization ADD COLUMN purging BIGINT;
ALTER TABLE project ADD COLUMN purging BIGINT;
