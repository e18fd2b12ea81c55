//! Thresholds: what guards one measure of one branch on one testbed.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::dimension::{Branch, Measure, Testbed};
use crate::{DateTime, ModelUuid, NameId, ProjectUuid, SampleSize, ThresholdUuid, Window};

/// How a threshold finds its limits in what was measured before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelTest {
    /// The boundaries are the limits.
    Static,
    /// The mean, and how far above and below it.
    Percentage,
    ZScore,
    TTest,
    LogNormal,
    /// The median, and how many interquartile ranges away from it.
    Iqr,
    /// The median, and how many interquartile ranges of the relative changes away from it.
    DeltaIqr,
}

impl ModelTest {
    /// Every test.
    pub const ALL: [Self; 7] =
        [Self::Static, Self::Percentage, Self::ZScore, Self::TTest, Self::LogNormal, Self::Iqr, Self::DeltaIqr];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Percentage => "percentage",
            Self::ZScore => "z_score",
            Self::TTest => "t_test",
            Self::LogNormal => "log_normal",
            Self::Iqr => "iqr",
            Self::DeltaIqr => "delta_iqr",
        }
    }
}

/// A statistical model as clients ask for it.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Model)]
pub struct Model {
    pub test: ModelTest,
    pub min_sample_size: Option<SampleSize>,
    pub max_sample_size: Option<SampleSize>,
    pub window: Option<Window>,
    /// A probability, a ratio or a value, depending on the test.
    pub lower_boundary: Option<f64>,
    /// A probability, a ratio or a value, depending on the test.
    pub upper_boundary: Option<f64>,
    /// Whether history begins no earlier than the last accepted change point.
    pub since_change_point: Option<bool>,
}

/// One state of a threshold's model.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonModel)]
pub struct StoredModel {
    pub uuid: ModelUuid,
    #[serde(flatten)]
    pub model: Model,
    pub created: DateTime,
    /// When another model took its place.
    pub replaced: Option<DateTime>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonThreshold)]
pub struct Threshold {
    pub uuid: ThresholdUuid,
    pub project: ProjectUuid,
    pub branch: Branch,
    pub testbed: Testbed,
    pub measure: Measure,
    /// Absent where the model was removed.
    pub model: Option<StoredModel>,
    pub created: DateTime,
    pub modified: DateTime,
}

/// A threshold as it stood when a metric was checked against it.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonThresholdModel)]
pub struct ThresholdModel {
    pub uuid: ThresholdUuid,
    pub project: ProjectUuid,
    pub model: StoredModel,
    pub created: DateTime,
}

/// Body of `POST /v0/projects/{project}/thresholds`.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewThreshold)]
pub struct NewThreshold {
    pub branch: NameId,
    pub testbed: NameId,
    pub measure: NameId,
    #[serde(flatten)]
    pub model: Model,
}

/// Body of `PUT` on a threshold: another model, or none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[schema(as = JsonUpdateThreshold)]
pub enum UpdateThreshold {
    Model(Model),
    Remove(RemoveModel),
}

/// A `test` that is `null`: the threshold goes on without a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = JsonRemoveModel)]
pub struct RemoveModel {
    pub test: (),
}

impl<'de> Deserialize<'de> for UpdateThreshold {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not `untagged`, which could not say what is wrong with a model.
        let value = serde_json::Value::deserialize(deserializer)?;
        if value.get("test").is_some_and(serde_json::Value::is_null) {
            return Ok(Self::Remove(RemoveModel { test: () }));
        }
        Model::deserialize(value).map(Self::Model).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
