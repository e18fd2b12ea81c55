-- The same changes as in PostgreSQL.
-- What runners worked, once for each attempt of a job. Kept when its project or organization is gone: bills are written later.
CREATE TABLE runner_usage (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_uuid TEXT NOT NULL,
    project_uuid TEXT NOT NULL,
    job_uuid TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    claimed BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    -- Begun ones, at least 1.
    minutes BIGINT NOT NULL,
    -- How the billing provider was told, for organizations that are billed: `sent`, `refused` or `uncertain`; NULL while it was not.
    billing_state TEXT,
    -- Whom it is billed to, from the first try on.
    billing_customer TEXT,
    billing_tries BIGINT NOT NULL DEFAULT 0,
    -- Tries that the provider answered with a failure of its own.
    billing_failures BIGINT NOT NULL DEFAULT 0,
    billing_first_try BIGINT,
    -- Not before.
    billing_next BIGINT NOT NULL DEFAULT 0,
    -- What the last try came to.
    billing_message TEXT,
    UNIQUE (job_uuid, attempt)
);
CREATE INDEX runner_usage_organization ON runner_usage (organization_uuid, ended);
CREATE INDEX runner_usage_unbilled ON runner_usage (organization_uuid, billing_next) WHERE billing_state IS NULL;

-- Organizations that are billed, and as whom the provider knows them.
CREATE TABLE billing_customer (
    -- Not a reference: what was worked is billed even where the organization is gone.
    organization_uuid TEXT PRIMARY KEY,
    customer TEXT NOT NULL,
    -- What ended earlier is not billed.
    since BIGINT NOT NULL
);

-- In the transaction that ends an attempt, whichever that is: none is forgotten, and none is counted twice. What was given back before it
-- began is nobody's work until its runner delivers something all the same, and what a superseded attempt delivers is worth nothing to
-- whom the job belongs. What is written stays, also where a result comes late.
CREATE TRIGGER runner_usage_of_attempt AFTER UPDATE OF ended, outcome ON job_attempt
WHEN NEW.ended IS NOT NULL AND NEW.outcome IS NOT NULL AND NEW.outcome NOT IN ('released', 'superseded')
    AND (OLD.outcome IS NULL OR OLD.outcome <> 'released' OR NEW.outcome IN ('completed', 'failed'))
BEGIN
    INSERT OR IGNORE INTO runner_usage (organization_uuid, project_uuid, job_uuid, attempt, claimed, ended, minutes)
    SELECT organization.uuid, project.uuid, job.uuid, NEW.attempt, NEW.claimed, NEW.ended,
        CASE WHEN NEW.ended - NEW.claimed <= 60000000 THEN 1 ELSE (NEW.ended - NEW.claimed + 59999999) / 60000000 END
    FROM job JOIN project ON project.id = job.project_id JOIN organization ON organization.id = project.organization_id
    WHERE job.id = NEW.job_id;
END;

-- What was worked until now.
INSERT INTO runner_usage (organization_uuid, project_uuid, job_uuid, attempt, claimed, ended, minutes)
SELECT organization.uuid, project.uuid, job.uuid, job_attempt.attempt, job_attempt.claimed, job_attempt.ended,
    CASE WHEN job_attempt.ended - job_attempt.claimed <= 60000000 THEN 1
        ELSE (job_attempt.ended - job_attempt.claimed + 59999999) / 60000000 END
FROM job_attempt JOIN job ON job.id = job_attempt.job_id JOIN project ON project.id = job.project_id
    JOIN organization ON organization.id = project.organization_id
WHERE job_attempt.ended IS NOT NULL AND job_attempt.outcome IS NOT NULL AND job_attempt.outcome NOT IN ('released', 'superseded');
