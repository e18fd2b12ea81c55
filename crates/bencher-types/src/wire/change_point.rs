//! Change points: where a series of metrics began to be another one.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{
    auth::PubUser,
    dimension::{Benchmark, Branch, Measure, Testbed, Version},
    report::Metric,
};
use crate::{ChangePointUuid, DateTime, MetricUuid, ProjectUuid, ReportUuid};

/// What people make of a change point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangePointStatus {
    /// It counts. So does every one that nobody has looked at.
    Accepted,
    /// Somebody looked at it and put it aside.
    Dismissed,
}

impl ChangePointStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Dismissed => "dismissed",
        }
    }
}

/// What the points between two change points have in common.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonRegime)]
pub struct Regime {
    pub points: u32,
    /// The arithmetic mean.
    pub mean: f64,
    /// The standard deviation of all points (divided by n).
    pub deviation: f64,
}

/// By how much a series changed.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonShift)]
pub struct Shift {
    /// From the change point before, or the beginning of what was looked at.
    pub before: Regime,
    /// Up to the next change point, or the end.
    pub after: Regime,
    /// How much of the old mean the new one is above it; absent where the old one is zero.
    pub change: Option<f64>,
    /// How probable a difference like this were if nothing had changed.
    pub p_value: f64,
}

/// A change point with everything it is filed under.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonChangePoint)]
pub struct ChangePoint {
    pub uuid: ChangePointUuid,
    pub project: ProjectUuid,
    pub status: ChangePointStatus,
    /// The report that began the new regime.
    pub report: ReportUuid,
    /// The report with which the change was first seen: some points have to follow a change before it can be told from noise. Absent
    /// where that report was deleted.
    pub confirmed_by: Option<ReportUuid>,
    /// With the head and the version of the report.
    pub branch: Branch,
    pub testbed: Testbed,
    pub benchmark: Benchmark,
    pub measure: Measure,
    /// The first of the new regime.
    pub metric: Metric,
    pub start_time: DateTime,
    pub shift: Shift,
    /// Who decided what about it, the oldest first.
    pub decisions: Vec<ChangePointDecision>,
    /// When it was no longer found. Such a one is kept where somebody decided about it, and does not count.
    pub gone: Option<DateTime>,
    pub created: DateTime,
    pub modified: DateTime,
}

/// What somebody made of a change point.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonChangePointDecision)]
pub struct ChangePointDecision {
    pub status: ChangePointStatus,
    /// Absent where it was a program with a key of the project, or a user that is no more.
    pub user: Option<PubUser>,
    pub created: DateTime,
}

/// A change point as its series shows it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonPerfChangePoint)]
pub struct PerfChangePoint {
    pub uuid: ChangePointUuid,
    pub status: ChangePointStatus,
    /// The first metric of the new regime.
    pub metric: MetricUuid,
    pub shift: Shift,
}

/// What a report is to a change point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangePointPart {
    /// Its results are the first of the new regime.
    Started,
    /// With its results the change was first seen.
    Confirmed,
}

/// A change point as a report shows it.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonReportChangePoint)]
pub struct ReportChangePoint {
    pub uuid: ChangePointUuid,
    pub part: ChangePointPart,
    pub status: ChangePointStatus,
    /// The report that began the new regime.
    pub report: ReportUuid,
    /// The version of that report.
    pub version: Version,
    pub benchmark: Benchmark,
    pub measure: Measure,
    pub shift: Shift,
}

/// Body of `PATCH` on a change point: what is absent stays.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateChangePoint)]
pub struct UpdateChangePoint {
    pub status: Option<ChangePointStatus>,
}
