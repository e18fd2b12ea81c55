//! Alerts: metrics outside of a threshold's limits.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{dimension::Benchmark, report::Metric, threshold::Threshold};
use crate::{AlertUuid, DateTime, ReportUuid};

/// The limits that a metric was checked against.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonBoundary)]
pub struct Boundary {
    /// What was expected.
    pub baseline: Option<f64>,
    pub lower_limit: Option<f64>,
    pub upper_limit: Option<f64>,
}

/// Which limit a metric is outside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BoundaryLimit {
    Lower,
    Upper,
}

impl BoundaryLimit {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Upper => "upper",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    Active,
    /// Somebody looked at it and put it aside.
    Dismissed,
    /// Raised where alerts are suppressed.
    Silenced,
}

impl AlertStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Dismissed => "dismissed",
            Self::Silenced => "silenced",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonAlert)]
pub struct Alert {
    pub uuid: AlertUuid,
    pub report: ReportUuid,
    pub iteration: u32,
    pub benchmark: Benchmark,
    pub metric: Metric,
    pub threshold: Threshold,
    pub boundary: Boundary,
    pub limit: BoundaryLimit,
    pub status: AlertStatus,
    pub created: DateTime,
    pub modified: DateTime,
}

/// An alert as a metric shows it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonPerfAlert)]
pub struct PerfAlert {
    pub uuid: AlertUuid,
    pub limit: BoundaryLimit,
    pub status: AlertStatus,
    pub modified: DateTime,
}

/// Body of `PATCH` on an alert: what is absent stays.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateAlert)]
pub struct UpdateAlert {
    pub status: Option<UpdateAlertStatus>,
}

/// What people make of an alert. Only the server silences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateAlertStatus {
    Active,
    Dismissed,
}
