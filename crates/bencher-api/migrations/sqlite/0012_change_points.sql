-- The same tables as in PostgreSQL; only key columns are spelled differently.
-- Where a series began to be another one. A series is what one benchmark had of one measure on one testbed and spec, in one head of a
-- branch; what heads began from is looked at there.
CREATE TABLE change_point (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    project_id BIGINT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    head_id BIGINT NOT NULL REFERENCES head (id) ON DELETE CASCADE,
    testbed_id BIGINT NOT NULL REFERENCES testbed (id) ON DELETE CASCADE,
    spec_id BIGINT REFERENCES spec (id),
    benchmark_id BIGINT NOT NULL REFERENCES benchmark (id) ON DELETE CASCADE,
    measure_id BIGINT NOT NULL REFERENCES measure (id) ON DELETE CASCADE,
    -- The first point of the new regime: its place in the series, and what was measured there.
    version_number BIGINT NOT NULL,
    start_time BIGINT NOT NULL,
    report_id BIGINT NOT NULL REFERENCES report (id) ON DELETE CASCADE,
    metric_id BIGINT NOT NULL REFERENCES metric (id) ON DELETE CASCADE,
    -- With which report it was first found.
    confirmed_report_id BIGINT REFERENCES report (id) ON DELETE SET NULL,
    before_points BIGINT NOT NULL,
    before_mean DOUBLE PRECISION NOT NULL,
    before_deviation DOUBLE PRECISION NOT NULL,
    after_points BIGINT NOT NULL,
    after_mean DOUBLE PRECISION NOT NULL,
    after_deviation DOUBLE PRECISION NOT NULL,
    p_value DOUBLE PRECISION NOT NULL,
    -- accepted or dismissed
    status TEXT NOT NULL,
    -- When it was no longer found; only one that somebody decided about is kept then.
    gone BIGINT,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);
CREATE INDEX change_point_series ON change_point (head_id, testbed_id, benchmark_id, measure_id, version_number, start_time);
CREATE INDEX change_point_project ON change_point (project_id, start_time);
CREATE INDEX change_point_report ON change_point (report_id);
CREATE INDEX change_point_confirmed ON change_point (confirmed_report_id) WHERE confirmed_report_id IS NOT NULL;
CREATE INDEX change_point_metric ON change_point (metric_id);
CREATE INDEX change_point_testbed ON change_point (testbed_id);
CREATE INDEX change_point_benchmark ON change_point (benchmark_id);
CREATE INDEX change_point_measure ON change_point (measure_id);

-- Who made what of a change point. Rows are never changed.
CREATE TABLE change_point_decision (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    change_point_id BIGINT NOT NULL REFERENCES change_point (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    user_id BIGINT REFERENCES users (id) ON DELETE SET NULL,
    created BIGINT NOT NULL
);
CREATE INDEX change_point_decision_of ON change_point_decision (change_point_id);

-- Reports whose series are still to be looked through. Written with their metrics.
CREATE TABLE change_point_due (
    report_id INTEGER PRIMARY KEY REFERENCES report (id) ON DELETE CASCADE
);

-- Series that are still to be looked through because points of them are gone. May name the same one several times: each row stands for
-- what was gone when it was written.
CREATE TABLE change_point_due_series (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    head_id BIGINT NOT NULL REFERENCES head (id) ON DELETE CASCADE,
    testbed_id BIGINT NOT NULL REFERENCES testbed (id) ON DELETE CASCADE,
    spec_id BIGINT REFERENCES spec (id) ON DELETE CASCADE,
    benchmark_id BIGINT NOT NULL REFERENCES benchmark (id) ON DELETE CASCADE,
    measure_id BIGINT NOT NULL REFERENCES measure (id) ON DELETE CASCADE
);
-- What was measured before there were change points.
INSERT INTO change_point_due_series (head_id, testbed_id, spec_id, benchmark_id, measure_id)
    SELECT DISTINCT head_id, testbed_id, spec_id, benchmark_id, measure_id FROM metric WHERE head_id IS NOT NULL;

-- 1 where history begins no earlier than the last accepted change point.
ALTER TABLE model ADD COLUMN since_change_point BIGINT;
