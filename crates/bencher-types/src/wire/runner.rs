//! Runners as admins see them.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{DateTime, ResourceId, ResourceName, RunnerKey, RunnerUuid, Slug, SpecUuid};

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonRunner)]
pub struct Runner {
    pub uuid: RunnerUuid,
    pub name: ResourceName,
    pub slug: Slug,
    pub specs: Vec<SpecUuid>,
    pub created: DateTime,
    pub modified: DateTime,
    pub archived: Option<DateTime>,
    /// When the server last heard of the runner.
    pub last_heartbeat: Option<DateTime>,
    pub state: Option<RunnerState>,
    /// The version the runner says it is.
    pub version: Option<String>,
}

/// What a runner is doing, as far as the server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunnerState {
    Offline,
    Idle,
    Running,
    Draining,
}

impl RunnerState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Draining => "draining",
        }
    }
}

impl std::str::FromStr for RunnerState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Offline, Self::Idle, Self::Running, Self::Draining]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a runner's state"))
    }
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewRunner)]
pub struct NewRunner {
    pub name: ResourceName,
    pub slug: Option<Slug>,
}

/// A runner's key: the only time that it is shown.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonRunnerKey)]
pub struct RunnerKeyCreated {
    pub uuid: RunnerUuid,
    pub key: RunnerKey,
}

/// Body of `PATCH` on a runner: what is absent stays.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateRunner)]
pub struct UpdateRunner {
    pub name: Option<ResourceName>,
    pub slug: Option<Slug>,
    pub archived: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewRunnerSpec)]
pub struct NewRunnerSpec {
    pub spec: ResourceId,
}
