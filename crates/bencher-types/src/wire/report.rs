//! Reports: the results of one run.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{
    adapter::Adapter,
    alert::{Alert, Boundary, PerfAlert},
    auth::PubUser,
    change_point::ReportChangePoint,
    dimension::{Benchmark, Branch, Measure, Testbed},
    project::Project,
    threshold::ThresholdModel,
};
use crate::{DateTime, JobUuid, MetricUuid, ReportUuid};

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonReport)]
pub struct Report {
    pub uuid: ReportUuid,
    pub user: Option<PubUser>,
    pub project: Project,
    pub branch: Branch,
    pub testbed: Testbed,
    pub adapter: Adapter,
    pub start_time: DateTime,
    pub end_time: DateTime,
    /// One list per iteration.
    pub results: Option<Vec<Vec<ReportResult>>>,
    /// Alerts are raised by thresholds.
    pub alerts: Option<Vec<Alert>>,
    /// The changes that these results began or made known. Absent where there are none, or none yet: they are looked for after the
    /// report is filed.
    pub change_points: Option<Vec<ReportChangePoint>>,
    pub counts: Option<ReportCounts>,
    /// What could not be read of what was sent or measured; absent where all of it was. Ours.
    pub problems: Option<Vec<ReportProblem>>,
    pub job: Option<JobUuid>,
    pub created: DateTime,
    /// `true` in the answer to a report that was filed before, under the same idempotency key. Ours.
    pub repeated: Option<bool>,
}

/// A result that no metrics could be read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonReportProblem)]
pub struct ReportProblem {
    /// The iteration of the report that it would have been.
    pub iteration: u32,
    /// Which one it is: its number among those that were sent, or a job's iteration and file.
    pub origin: String,
    pub reason: String,
}

/// What one benchmark measured in one iteration.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonReportResult)]
pub struct ReportResult {
    pub iteration: u32,
    pub benchmark: Benchmark,
    pub measures: Vec<ReportMeasure>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonReportMeasure)]
pub struct ReportMeasure {
    pub measure: Measure,
    pub metric: Metric,
    pub threshold: Option<ThresholdModel>,
    pub boundary: Option<Boundary>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonMetric)]
pub struct Metric {
    pub uuid: MetricUuid,
    pub value: f64,
    pub lower_value: Option<f64>,
    pub upper_value: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonReportCounts)]
pub struct ReportCounts {
    pub results: Vec<IterationCounts>,
    pub alerts: AlertCounts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonReportIterationCounts)]
pub struct IterationCounts {
    pub benchmarks: u32,
    pub measures: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonReportAlertsCounts)]
pub struct AlertCounts {
    pub total: u32,
    pub active: u32,
}

/// One metric, with everything it is filed under.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonOneMetric)]
pub struct OneMetric {
    pub uuid: MetricUuid,
    pub report: ReportUuid,
    pub iteration: u32,
    pub start_time: DateTime,
    pub end_time: DateTime,
    pub branch: Branch,
    pub testbed: Testbed,
    pub benchmark: Benchmark,
    pub measure: Measure,
    pub metric: Metric,
    pub threshold: Option<ThresholdModel>,
    pub boundary: Option<Boundary>,
    pub alert: Option<PerfAlert>,
}
