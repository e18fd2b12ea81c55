//! The history of metrics: one series per branch, testbed, benchmark and measure.

mod columns;

pub use columns::{PERF_COLUMNS_TYPE, PerfColumns, PointAlert, PointChange, ReportColumns, SeriesColumns};

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{
    alert::{Boundary, PerfAlert},
    change_point::PerfChangePoint,
    dimension::{Benchmark, Branch, Measure, Testbed, Version},
    project::Project,
    report::Metric,
    threshold::ThresholdModel,
};
use crate::{DateTime, ReportUuid};

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonPerf)]
pub struct Perf {
    pub project: Project,
    pub start_time: Option<DateTime>,
    pub end_time: Option<DateTime>,
    pub results: Vec<PerfMetrics>,
}

/// One series.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonPerfMetrics)]
pub struct PerfMetrics {
    pub branch: Branch,
    pub testbed: Testbed,
    pub benchmark: Benchmark,
    pub measure: Measure,
    /// The oldest first.
    pub metrics: Vec<PerfMetric>,
    /// Where the series began to be another one, the oldest first. Absent where it did not.
    pub change_points: Option<Vec<PerfChangePoint>>,
}

/// One point of a series.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonPerfMetric)]
pub struct PerfMetric {
    pub report: ReportUuid,
    pub iteration: u32,
    pub start_time: DateTime,
    pub end_time: DateTime,
    pub version: Version,
    pub metric: Metric,
    pub threshold: Option<ThresholdModel>,
    pub boundary: Option<Boundary>,
    pub alert: Option<PerfAlert>,
}
