-- The same tables as in PostgreSQL; only key columns are spelled differently.
CREATE TABLE plot (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    project_id BIGINT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    -- Its place among the project's plots, from 0, without gaps. Not unique: places move one after the other.
    place BIGINT NOT NULL,
    title TEXT,
    lower_value BIGINT NOT NULL,
    upper_value BIGINT NOT NULL,
    lower_boundary BIGINT NOT NULL,
    upper_boundary BIGINT NOT NULL,
    x_axis TEXT NOT NULL,
    y_axis TEXT NOT NULL,
    -- Seconds.
    window_secs BIGINT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);
CREATE INDEX plot_project ON plot (project_id, place);

-- What a plot shows, in the order in which it was asked for. What is deleted disappears from the plots.
CREATE TABLE plot_branch (
    plot_id BIGINT NOT NULL REFERENCES plot (id) ON DELETE CASCADE,
    branch_id BIGINT NOT NULL REFERENCES branch (id) ON DELETE CASCADE,
    place BIGINT NOT NULL,
    PRIMARY KEY (plot_id, branch_id)
);
CREATE INDEX plot_branch_branch ON plot_branch (branch_id);

CREATE TABLE plot_testbed (
    plot_id BIGINT NOT NULL REFERENCES plot (id) ON DELETE CASCADE,
    testbed_id BIGINT NOT NULL REFERENCES testbed (id) ON DELETE CASCADE,
    place BIGINT NOT NULL,
    PRIMARY KEY (plot_id, testbed_id)
);
CREATE INDEX plot_testbed_testbed ON plot_testbed (testbed_id);

CREATE TABLE plot_benchmark (
    plot_id BIGINT NOT NULL REFERENCES plot (id) ON DELETE CASCADE,
    benchmark_id BIGINT NOT NULL REFERENCES benchmark (id) ON DELETE CASCADE,
    place BIGINT NOT NULL,
    PRIMARY KEY (plot_id, benchmark_id)
);
CREATE INDEX plot_benchmark_benchmark ON plot_benchmark (benchmark_id);

CREATE TABLE plot_measure (
    plot_id BIGINT NOT NULL REFERENCES plot (id) ON DELETE CASCADE,
    measure_id BIGINT NOT NULL REFERENCES measure (id) ON DELETE CASCADE,
    place BIGINT NOT NULL,
    PRIMARY KEY (plot_id, measure_id)
);
CREATE INDEX plot_measure_measure ON plot_measure (measure_id);

-- The history of a benchmark goes from reports to results.
CREATE INDEX report_benchmark_benchmark_report ON report_benchmark (benchmark_id, report_id);
DROP INDEX report_benchmark_benchmark;

-- Lists of reports begin with the newest measurements.
CREATE INDEX report_project_start_time ON report (project_id, start_time);
