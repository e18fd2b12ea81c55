-- The same tables as in PostgreSQL; only key and byte columns are spelled differently.
-- One installation, one row.
CREATE TABLE server (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    uuid TEXT NOT NULL UNIQUE,
    created BIGINT NOT NULL
);

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    -- Lower case.
    email TEXT NOT NULL UNIQUE,
    admin BIGINT NOT NULL,
    locked BIGINT NOT NULL,
    -- Tokens that were issued earlier are not this user's any more.
    tokens_from BIGINT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);

CREATE TABLE user_key (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- Hexadecimal SHA-256 of the key.
    hash TEXT NOT NULL UNIQUE,
    creation BIGINT NOT NULL,
    expiration BIGINT NOT NULL,
    revoked BIGINT
);
CREATE INDEX user_key_user ON user_key (user_id);

CREATE TABLE organization (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    -- Added to a job's place in the queue: 0 unclaimed, 100 free, 200 more for paying.
    priority BIGINT NOT NULL,
    claimed BIGINT,
    deleted BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);

CREATE TABLE organization_role (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization_id BIGINT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    UNIQUE (user_id, organization_id)
);
CREATE INDEX organization_role_organization ON organization_role (organization_id);

CREATE TABLE project (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    organization_id BIGINT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    url TEXT,
    visibility TEXT NOT NULL,
    deleted BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);
CREATE INDEX project_organization ON project (organization_id);

CREATE TABLE spec (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    os TEXT NOT NULL,
    architecture TEXT NOT NULL,
    sandbox TEXT,
    cpu BIGINT NOT NULL,
    -- Bytes.
    memory BIGINT NOT NULL,
    -- Bytes.
    disk BIGINT NOT NULL,
    network BIGINT NOT NULL,
    fallback BIGINT,
    archived BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);
-- At most one spec is the fallback.
CREATE UNIQUE INDEX spec_fallback ON spec ((1)) WHERE fallback IS NOT NULL;

CREATE TABLE branch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    project_id BIGINT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    -- The current head; NULL only inside of the transaction that makes the branch.
    head_id BIGINT,
    archived BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    UNIQUE (project_id, name),
    UNIQUE (project_id, slug)
);

CREATE TABLE head (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    branch_id BIGINT NOT NULL REFERENCES branch (id) ON DELETE CASCADE,
    -- The version of another head that this one began with.
    start_point_id BIGINT,
    created BIGINT NOT NULL,
    replaced BIGINT
);
CREATE INDEX head_branch ON head (branch_id);

CREATE TABLE version (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    project_id BIGINT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    hash TEXT
);
CREATE INDEX version_project_hash ON version (project_id, hash);

CREATE TABLE head_version (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    head_id BIGINT NOT NULL REFERENCES head (id) ON DELETE CASCADE,
    version_id BIGINT NOT NULL REFERENCES version (id) ON DELETE CASCADE,
    UNIQUE (head_id, version_id)
);
CREATE INDEX head_version_version ON head_version (version_id);

CREATE TABLE testbed (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    project_id BIGINT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    spec_id BIGINT REFERENCES spec (id),
    archived BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    UNIQUE (project_id, name),
    UNIQUE (project_id, slug)
);
CREATE INDEX testbed_spec ON testbed (spec_id);

CREATE TABLE benchmark (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    project_id BIGINT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    archived BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    UNIQUE (project_id, name),
    UNIQUE (project_id, slug)
);

CREATE TABLE measure (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    project_id BIGINT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    units TEXT NOT NULL,
    archived BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    UNIQUE (project_id, name),
    UNIQUE (project_id, slug)
);

CREATE TABLE report (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    user_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    project_id BIGINT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    idempotency_key TEXT,
    -- A branch or testbed goes only after its reports.
    head_id BIGINT NOT NULL REFERENCES head (id),
    version_id BIGINT NOT NULL REFERENCES version (id),
    testbed_id BIGINT NOT NULL REFERENCES testbed (id),
    spec_id BIGINT REFERENCES spec (id),
    adapter BIGINT NOT NULL,
    start_time BIGINT NOT NULL,
    end_time BIGINT NOT NULL,
    created BIGINT NOT NULL,
    UNIQUE (project_id, idempotency_key)
);
CREATE INDEX report_project_created ON report (project_id, created);
CREATE INDEX report_head ON report (head_id);
CREATE INDEX report_version ON report (version_id);
CREATE INDEX report_testbed ON report (testbed_id);
CREATE INDEX report_spec ON report (spec_id);

CREATE TABLE report_benchmark (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    report_id BIGINT NOT NULL REFERENCES report (id) ON DELETE CASCADE,
    iteration BIGINT NOT NULL,
    benchmark_id BIGINT NOT NULL REFERENCES benchmark (id),
    UNIQUE (report_id, iteration, benchmark_id)
);
CREATE INDEX report_benchmark_benchmark ON report_benchmark (benchmark_id);

CREATE TABLE metric (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    report_benchmark_id BIGINT NOT NULL REFERENCES report_benchmark (id) ON DELETE CASCADE,
    measure_id BIGINT NOT NULL REFERENCES measure (id),
    value DOUBLE PRECISION NOT NULL,
    lower_value DOUBLE PRECISION,
    upper_value DOUBLE PRECISION,
    UNIQUE (report_benchmark_id, measure_id)
);
CREATE INDEX metric_measure ON metric (measure_id);

CREATE TABLE runner (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    -- Hexadecimal SHA-256 of the key.
    key_hash TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    version TEXT,
    last_heartbeat BIGINT,
    archived BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);

CREATE TABLE runner_spec (
    runner_id BIGINT NOT NULL REFERENCES runner (id) ON DELETE CASCADE,
    spec_id BIGINT NOT NULL REFERENCES spec (id) ON DELETE RESTRICT,
    PRIMARY KEY (runner_id, spec_id)
);
CREATE INDEX runner_spec_spec ON runner_spec (spec_id);

CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    project_id BIGINT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    report_id BIGINT NOT NULL UNIQUE REFERENCES report (id) ON DELETE CASCADE,
    spec_id BIGINT NOT NULL REFERENCES spec (id) ON DELETE RESTRICT,
    runner_id BIGINT REFERENCES runner (id) ON DELETE RESTRICT,
    -- JobStatus: pending 0, claimed 1, running 2, completed 3, processed 4, failed 5, canceled 6.
    status BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    -- JSON: what the runner needs to know, without the environment.
    config TEXT NOT NULL,
    -- JSON: environment variables, sealed with the key file when there are any.
    env_sealed BLOB,
    -- JSON: adapter, average and fold, for when the results are processed.
    settings TEXT NOT NULL,
    -- Counted at every claim; also the fencing token of a claim.
    attempt BIGINT NOT NULL,
    -- Until when a runner may be silent.
    lease_expires BIGINT,
    -- Where the blob store keeps what the runner delivered.
    output_key TEXT,
    -- Why the job failed or could not be processed.
    message TEXT,
    claimed BIGINT,
    started BIGINT,
    completed BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);
CREATE INDEX job_queue ON job (spec_id, priority DESC, created, id) WHERE status = 0;
CREATE INDEX job_in_flight ON job (runner_id) WHERE status IN (1, 2);
CREATE INDEX job_unprocessed ON job (id) WHERE status = 3;
CREATE INDEX job_project_created ON job (project_id, created);
CREATE INDEX job_runner ON job (runner_id);

-- Every time that a job was handed to a runner.
CREATE TABLE job_attempt (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id BIGINT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    attempt BIGINT NOT NULL,
    runner_id BIGINT NOT NULL REFERENCES runner (id) ON DELETE RESTRICT,
    claimed BIGINT NOT NULL,
    ended BIGINT,
    -- How it ended: the status it gave the job, `released`, or `superseded` where a later attempt was under way.
    outcome TEXT,
    -- What the runner delivered, where the job's result is another attempt's.
    output_key TEXT,
    UNIQUE (job_id, attempt)
);
CREATE INDEX job_attempt_runner ON job_attempt (runner_id);

-- Blobs are shared by all repositories; a repository holds a blob only through oci_repository_blob.
CREATE TABLE oci_blob (
    digest TEXT PRIMARY KEY,
    -- Bytes.
    size BIGINT NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE oci_repository (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id BIGINT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    -- What follows the project in the repository's name; empty for the project itself.
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    UNIQUE (project_id, name)
);

CREATE TABLE oci_repository_blob (
    repository_id BIGINT NOT NULL REFERENCES oci_repository (id) ON DELETE CASCADE,
    digest TEXT NOT NULL REFERENCES oci_blob (digest),
    -- An upload, mount or look-up keeps the blob until then, even where no manifest refers to it.
    leased_until BIGINT NOT NULL,
    PRIMARY KEY (repository_id, digest)
);
CREATE INDEX oci_repository_blob_digest ON oci_repository_blob (digest);

CREATE TABLE oci_manifest (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    repository_id BIGINT NOT NULL REFERENCES oci_repository (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    artifact_type TEXT,
    subject TEXT,
    -- Bytes of the document.
    size BIGINT NOT NULL,
    -- The document itself, byte for byte; it is small and its digest must stay true.
    content BLOB NOT NULL,
    created BIGINT NOT NULL,
    UNIQUE (repository_id, digest)
);
CREATE INDEX oci_manifest_subject ON oci_manifest (repository_id, subject);

-- What a manifest refers to: blobs, and for an index other manifests.
CREATE TABLE oci_manifest_reference (
    manifest_id BIGINT NOT NULL REFERENCES oci_manifest (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    PRIMARY KEY (manifest_id, digest)
);
CREATE INDEX oci_manifest_reference_digest ON oci_manifest_reference (digest);

CREATE TABLE oci_tag (
    repository_id BIGINT NOT NULL REFERENCES oci_repository (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    manifest_id BIGINT NOT NULL REFERENCES oci_manifest (id) ON DELETE CASCADE,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (repository_id, name)
);
CREATE INDEX oci_tag_manifest ON oci_tag (manifest_id);

CREATE TABLE oci_upload (
    uuid TEXT PRIMARY KEY,
    repository_id BIGINT NOT NULL REFERENCES oci_repository (id) ON DELETE CASCADE,
    -- Who began the upload, such as user:UUID; only the same may go on.
    principal TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);
CREATE INDEX oci_upload_modified ON oci_upload (modified);
