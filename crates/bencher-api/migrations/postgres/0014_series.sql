-- The report of a metric, too: the history of many series is read from one index, and each report once.
ALTER TABLE metric ADD COLUMN report_id BIGINT;
UPDATE metric SET report_id = report_benchmark.report_id
FROM report_benchmark
WHERE report_benchmark.id = metric.report_benchmark_id;
DROP INDEX metric_series;
CREATE INDEX metric_series ON metric
    (head_id, testbed_id, benchmark_id, measure_id, version_number, start_time, iteration, spec_id, value, report_id);
