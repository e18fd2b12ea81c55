//! Runners as admins see them.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{DateTime, Label, OrganizationUuid, ResourceId, ResourceName, RunnerKey, RunnerUuid, Slug, SpecUuid};

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
    /// What it has that jobs may require.
    pub labels: Option<Vec<Label>>,
    /// The organizations whose jobs it takes; those of all when absent.
    pub organizations: Option<Vec<OrganizationUuid>>,
    /// Whether it is given jobs.
    pub mode: Option<RunnerMode>,
    /// Why it is not.
    pub reason: Option<String>,
    /// Since when it is not.
    pub since: Option<DateTime>,
    /// How many jobs in a row it failed that were not to blame.
    pub failures: Option<u32>,
}

/// Whether a runner is given jobs. The job that it has in hand is finished in every mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunnerMode {
    #[default]
    Active,
    /// An admin wants to work on the machine soon.
    Draining,
    /// An admin keeps it away from jobs.
    Locked,
    /// It failed too many jobs in a row, or an admin suspects it.
    Quarantined,
}

impl RunnerMode {
    pub const ALL: [Self; 4] = [Self::Active, Self::Draining, Self::Locked, Self::Quarantined];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Locked => "locked",
            Self::Quarantined => "quarantined",
        }
    }
}

impl std::fmt::Display for RunnerMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for RunnerMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a runner's mode: expected one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
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
    /// All of its labels from now on.
    #[schema(max_items = 32)]
    pub labels: Option<Vec<Label>>,
    /// The organizations whose jobs it takes from now on; none means all.
    pub organizations: Option<Vec<ResourceId>>,
    /// `active` also forgets what the runner failed.
    pub mode: Option<RunnerMode>,
    /// Why, for those who wonder; only with `mode`.
    #[schema(max_length = 255)]
    pub reason: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewRunnerSpec)]
pub struct NewRunnerSpec {
    pub spec: ResourceId,
}
