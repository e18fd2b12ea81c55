-- The same changes as in PostgreSQL.
-- Why the job ended without results: infrastructure, image, user, timeout, canceled or processing.
ALTER TABLE job ADD COLUMN failure TEXT;
-- How often the job is still tried again by itself.
ALTER TABLE job ADD COLUMN retries BIGINT NOT NULL DEFAULT 0;
-- Since when the job waits: it was made, or somebody wanted it tried again.
ALTER TABLE job ADD COLUMN queued BIGINT NOT NULL DEFAULT 0;
UPDATE job SET queued = created;
-- When the job was put ahead of the queue, because a runner failed it or never received it; NULL for all others.
ALTER TABLE job ADD COLUMN front BIGINT;
-- The runner that failed the job, and gets it again only where there is no other.
ALTER TABLE job ADD COLUMN avoids BIGINT;
-- What the runner must have: labels, sorted, with commas between them.
ALTER TABLE job ADD COLUMN labels TEXT NOT NULL DEFAULT '';

-- Why the attempt failed, and whose business it was.
ALTER TABLE job_attempt ADD COLUMN message TEXT;
ALTER TABLE job_attempt ADD COLUMN failure TEXT;

-- free, plus or enterprise.
ALTER TABLE organization ADD COLUMN tier TEXT NOT NULL DEFAULT 'free';
UPDATE organization SET tier = 'plus' WHERE priority >= 200;
UPDATE organization SET tier = 'enterprise' WHERE priority >= 300;
-- The attempt that was given to it last: whoever has the lowest comes first. Beside the rows themselves, which are locked while results
-- are filed.
CREATE TABLE organization_turn (
    organization_id BIGINT PRIMARY KEY REFERENCES organization (id) ON DELETE CASCADE,
    served BIGINT NOT NULL
);
CREATE TABLE project_turn (
    project_id BIGINT PRIMARY KEY REFERENCES project (id) ON DELETE CASCADE,
    served BIGINT NOT NULL
);
-- How many of its jobs may be in flight, and how many seconds an iteration may take; NULL for no bound of its own.
ALTER TABLE project ADD COLUMN max_jobs BIGINT;
ALTER TABLE project ADD COLUMN max_timeout BIGINT;

-- Sorted, with commas between them.
ALTER TABLE runner ADD COLUMN labels TEXT NOT NULL DEFAULT '';
-- active, draining, locked or quarantined.
ALTER TABLE runner ADD COLUMN mode TEXT NOT NULL DEFAULT 'active';
ALTER TABLE runner ADD COLUMN mode_reason TEXT;
ALTER TABLE runner ADD COLUMN mode_since BIGINT;
-- How many jobs in a row it failed that were not to blame.
ALTER TABLE runner ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
-- Whether it is for the organizations in runner_organization only, of which there may be none left.
ALTER TABLE runner ADD COLUMN scoped BIGINT NOT NULL DEFAULT 0;
CREATE TABLE runner_organization (
    runner_id BIGINT NOT NULL REFERENCES runner (id) ON DELETE CASCADE,
    organization_id BIGINT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    PRIMARY KEY (runner_id, organization_id)
);
CREATE INDEX runner_organization_organization ON runner_organization (organization_id);

-- Jobs wait in lanes: those of one project and of the same labels, the oldest first. A claim looks at the head of each lane, and at
-- what was put ahead of the queue, which is apart in the index.
DROP INDEX job_queue;
CREATE INDEX job_lane ON job (spec_id, front, project_id, labels, queued, id) WHERE status = 0;
-- What a runner has in hand is found by an index of that. One over all jobs is only in the way: there may be a million.
DROP INDEX job_runner;
CREATE INDEX job_pending_project ON job (project_id) WHERE status = 0;
CREATE INDEX job_in_flight_project ON job (project_id) WHERE status IN (1, 2);
