//! What an organization used: counted from what is stored, so that nothing has to be kept up to date.

use bencher_types::DateTime;

use super::{Count, Queries as _, Store, StoreError};
use crate::values;

/// What an organization used within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageCounts {
    /// Metrics that were stored.
    pub metrics: u64,
    /// Permutations of branch, testbed, benchmark and measure that got a metric.
    pub active_series: u64,
    /// Minutes that runners worked: each attempt of a job that was begun and has ended, rounded up.
    pub runner_minutes: u64,
}

/// The metrics that were stored within a time: when a job was done, or else when the report came. Deleted projects did use something.
/// SQLite joins CROSS JOINs in this order, so that only results of the time are looked at.
const METRICS: &str = "project CROSS JOIN report CROSS JOIN head LEFT JOIN job ON job.report_id = report.id \
    CROSS JOIN report_benchmark CROSS JOIN metric \
    WHERE project.organization_id = $1 AND report.project_id = project.id AND head.id = report.head_id \
    AND COALESCE(job.completed, report.created) >= $2 AND COALESCE(job.completed, report.created) < $3 \
    AND report_benchmark.report_id = report.id AND metric.report_benchmark_id = report_benchmark.id";

/// An attempt counts when it ends, and so once. One that was given back before it began is nobody's work.
const MINUTES: &str = "SELECT CAST(COALESCE(SUM(CASE WHEN job_attempt.ended - job_attempt.claimed <= 60000000 THEN 1 \
    ELSE (job_attempt.ended - job_attempt.claimed + 59999999) / 60000000 END), 0) AS BIGINT) AS count \
    FROM job_attempt JOIN job ON job.id = job_attempt.job_id JOIN project ON project.id = job.project_id \
    WHERE project.organization_id = $1 AND job_attempt.ended >= $2 AND job_attempt.ended < $3 \
    AND job_attempt.outcome IS NOT NULL AND job_attempt.outcome <> 'released'";

impl Store {
    /// What an organization used from one time until before another.
    ///
    /// # Errors
    /// The database failed.
    pub async fn usage(&self, organization: i64, from: DateTime, until: DateTime) -> Result<UsageCounts, StoreError> {
        let mut conn = self.read().await?;
        let values = values![organization, from, until];
        let metrics: Count = conn.one(format!("SELECT COUNT(*) AS count FROM {METRICS}"), values.clone()).await?;
        let series = "head.branch_id, report.testbed_id, report_benchmark.benchmark_id, metric.measure_id";
        let sql = format!("SELECT COUNT(*) AS count FROM (SELECT DISTINCT {series} FROM {METRICS}) AS series");
        let series: Count = conn.one(sql, values.clone()).await?;
        let minutes: Count = conn.one(MINUTES, values).await?;
        Ok(UsageCounts { metrics: metrics.get(), active_series: series.get(), runner_minutes: minutes.get() })
    }
}
