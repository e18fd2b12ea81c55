//! The history of metrics in columns: many series at once, for plots and other programs. Nothing is repeated for each point that
//! many points share.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{
    DateTime, GitHash, ReportUuid,
    wire::{
        alert::PerfAlert,
        change_point::PerfChangePoint,
        dimension::{Benchmark, Branch, Measure, Testbed},
        project::Project,
        threshold::ThresholdModel,
    },
};

/// What a request of the history names in its header `Accept` to have it in columns.
pub const PERF_COLUMNS_TYPE: &str = "application/vnd.bencher.perf-columns+json";

/// The history of metrics in columns. Numbers that stand for something are places in the list of that name, from 0.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonPerfColumns)]
pub struct PerfColumns {
    pub project: Project,
    pub start_time: Option<DateTime>,
    pub end_time: Option<DateTime>,
    pub branches: Vec<Branch>,
    pub testbeds: Vec<Testbed>,
    pub benchmarks: Vec<Benchmark>,
    pub measures: Vec<Measure>,
    /// Every report that a point is of, in the order of points: by version, then by time.
    pub reports: ReportColumns,
    /// Every threshold that a point was checked with. Only where `columns` asks for `thresholds`.
    pub thresholds: Option<Vec<ThresholdModel>>,
    pub series: Vec<SeriesColumns>,
}

/// Reports: each list has a place for each.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonReportColumns)]
pub struct ReportColumns {
    pub uuid: Vec<ReportUuid>,
    pub start_time: Vec<DateTime>,
    pub end_time: Vec<DateTime>,
    pub version_number: Vec<u32>,
    pub version_hash: Vec<Option<GitHash>>,
}

/// One series: each list has a place for each point, the oldest first.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonSeriesColumns)]
pub struct SeriesColumns {
    pub branch: u32,
    pub testbed: u32,
    pub benchmark: u32,
    pub measure: u32,
    pub report: Vec<u32>,
    /// Absent where all are of the first iteration, 0.
    pub iteration: Option<Vec<u32>>,
    pub value: Vec<f64>,
    /// Only where `columns` asks for `bounds` and a point has one; as `upper_value`.
    pub lower_value: Option<Vec<Option<f64>>>,
    pub upper_value: Option<Vec<Option<f64>>>,
    /// Only where `columns` asks for `thresholds` and a point was checked; as the four that follow.
    pub threshold: Option<Vec<Option<u32>>>,
    pub baseline: Option<Vec<Option<f64>>>,
    pub lower_limit: Option<Vec<Option<f64>>>,
    pub upper_limit: Option<Vec<Option<f64>>>,
    pub alerts: Option<Vec<PointAlert>>,
    /// Only where `columns` asks for `changes` and there are any.
    pub change_points: Option<Vec<PointChange>>,
}

/// An alert, and the place of its point in the series.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonPointAlert)]
pub struct PointAlert {
    pub point: u32,
    pub alert: PerfAlert,
}

/// A change point, and the place in the series where its regime begins.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonPointChange)]
pub struct PointChange {
    pub point: u32,
    pub change: PerfChangePoint,
}
