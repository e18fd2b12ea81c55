//! What an organization used. Metrics are counted from what is stored; what runners worked is written down when it ends, once for each
//! attempt of a job, by a trigger of the database: whoever ends an attempt cannot forget it, and a project that is deleted for good
//! has been worked for all the same.

use bencher_types::{DateTime, OrganizationUuid, ProjectUuid, Slug};

use super::{Count, Queries as _, Store, StoreError, Text};
use crate::values;

/// What an organization used within a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageCounts {
    /// Metrics that were stored.
    pub metrics: u64,
    /// Permutations of branch, testbed, benchmark and measure that got a metric.
    pub active_series: u64,
    /// What runners worked, by project.
    pub projects: Vec<ProjectUsageRow>,
}

/// What runners worked for a project. An attempt counts when it ends, and so once.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ProjectUsageRow {
    pub project: Text<ProjectUuid>,
    /// Absent where the project was deleted for good.
    pub slug: Option<Text<Slug>>,
    /// Begun ones of each attempt.
    pub minutes: i64,
    pub attempts: i64,
}

/// The metrics that were stored within a time: when a job was done, or else when the report came. Deleted projects did use something.
/// SQLite joins CROSS JOINs in this order, so that only results of the time are looked at.
const METRICS: &str = "project CROSS JOIN report CROSS JOIN head LEFT JOIN job ON job.report_id = report.id \
    CROSS JOIN report_benchmark CROSS JOIN metric \
    WHERE project.organization_id = $1 AND report.project_id = project.id AND head.id = report.head_id \
    AND COALESCE(job.completed, report.created) >= $2 AND COALESCE(job.completed, report.created) < $3 \
    AND report_benchmark.report_id = report.id AND metric.report_benchmark_id = report_benchmark.id";

const WORKED: &str = "SELECT worked.project_uuid AS project, project.slug AS slug, worked.minutes, worked.attempts FROM \
    (SELECT project_uuid, CAST(SUM(minutes) AS BIGINT) AS minutes, COUNT(*) AS attempts FROM runner_usage \
     WHERE organization_uuid = $1 AND ended >= $2 AND ended < $3 GROUP BY project_uuid) AS worked \
    LEFT JOIN project ON project.uuid = worked.project_uuid ORDER BY worked.minutes DESC, worked.project_uuid";

impl Store {
    /// What an organization used from one time until before another.
    ///
    /// # Errors
    /// The database failed.
    pub async fn usage(
        &self,
        organization: i64,
        uuid: OrganizationUuid,
        from: DateTime,
        until: DateTime,
    ) -> Result<UsageCounts, StoreError> {
        let mut conn = self.read().await?;
        let values = values![organization, from, until];
        let metrics: Count = conn.one(format!("SELECT COUNT(*) AS count FROM {METRICS}"), values.clone()).await?;
        let series = "head.branch_id, report.testbed_id, report_benchmark.benchmark_id, metric.measure_id";
        let sql = format!("SELECT COUNT(*) AS count FROM (SELECT DISTINCT {series} FROM {METRICS}) AS series");
        let series: Count = conn.one(sql, values).await?;
        let projects = conn.all(WORKED, values![uuid, from, until]).await?;
        Ok(UsageCounts { metrics: metrics.get(), active_series: series.get(), projects })
    }
}
