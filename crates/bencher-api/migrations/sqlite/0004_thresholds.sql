-- The same tables as in PostgreSQL; only key columns are spelled differently.
-- What guards one measure of one branch on one testbed.
CREATE TABLE threshold (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    project_id BIGINT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    branch_id BIGINT NOT NULL REFERENCES branch (id) ON DELETE CASCADE,
    testbed_id BIGINT NOT NULL REFERENCES testbed (id) ON DELETE CASCADE,
    measure_id BIGINT NOT NULL REFERENCES measure (id) ON DELETE CASCADE,
    -- The current model; NULL where it was removed.
    model_id BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    UNIQUE (branch_id, testbed_id, measure_id)
);
CREATE INDEX threshold_project_created ON threshold (project_id, created);
CREATE INDEX threshold_testbed ON threshold (testbed_id);
CREATE INDEX threshold_measure ON threshold (measure_id);

-- A threshold's models never change: another one takes the place.
CREATE TABLE model (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    threshold_id BIGINT NOT NULL REFERENCES threshold (id) ON DELETE CASCADE,
    test TEXT NOT NULL,
    min_sample_size BIGINT,
    max_sample_size BIGINT,
    window_secs BIGINT,
    lower_boundary DOUBLE PRECISION,
    upper_boundary DOUBLE PRECISION,
    created BIGINT NOT NULL,
    replaced BIGINT
);
CREATE INDEX model_threshold ON model (threshold_id);

-- The model that a metric was checked with when it was stored, and the limits that it gave. Limits are NULL where there was not
-- enough history.
ALTER TABLE metric ADD COLUMN model_id BIGINT REFERENCES model (id) ON DELETE SET NULL;
ALTER TABLE metric ADD COLUMN baseline DOUBLE PRECISION;
ALTER TABLE metric ADD COLUMN lower_limit DOUBLE PRECISION;
ALTER TABLE metric ADD COLUMN upper_limit DOUBLE PRECISION;
CREATE INDEX metric_model ON metric (model_id) WHERE model_id IS NOT NULL;

-- Copies of what the metric's report says, none of which ever changes: with them the newest values of a series are the end of a range
-- of one index, however long the series is.
ALTER TABLE metric ADD COLUMN head_id BIGINT;
ALTER TABLE metric ADD COLUMN testbed_id BIGINT;
ALTER TABLE metric ADD COLUMN spec_id BIGINT;
ALTER TABLE metric ADD COLUMN benchmark_id BIGINT;
ALTER TABLE metric ADD COLUMN version_number BIGINT;
ALTER TABLE metric ADD COLUMN start_time BIGINT;
ALTER TABLE metric ADD COLUMN iteration BIGINT;
UPDATE metric SET head_id = report.head_id, testbed_id = report.testbed_id, spec_id = report.spec_id,
    benchmark_id = report_benchmark.benchmark_id, version_number = version.number, start_time = report.start_time,
    iteration = report_benchmark.iteration
FROM report_benchmark
JOIN report ON report.id = report_benchmark.report_id
JOIN version ON version.id = report.version_id
WHERE report_benchmark.id = metric.report_benchmark_id;
CREATE INDEX metric_series ON metric
    (head_id, testbed_id, benchmark_id, measure_id, version_number, start_time, iteration, spec_id, value);

CREATE TABLE alert (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    project_id BIGINT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    report_id BIGINT NOT NULL REFERENCES report (id) ON DELETE CASCADE,
    metric_id BIGINT NOT NULL UNIQUE REFERENCES metric (id) ON DELETE CASCADE,
    model_id BIGINT NOT NULL REFERENCES model (id) ON DELETE CASCADE,
    -- Which limit the metric is outside of: lower or upper.
    boundary_limit TEXT NOT NULL,
    status TEXT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);
CREATE INDEX alert_project_created ON alert (project_id, created);
CREATE INDEX alert_report ON alert (report_id);
CREATE INDEX alert_model ON alert (model_id);
