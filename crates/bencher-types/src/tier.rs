//! The standing of an organization in the queue, which an admin of the server sets.

use serde::{Deserialize, Serialize};

/// From the lowest to the highest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    #[default]
    Free,
    Plus,
    Enterprise,
}

impl Tier {
    pub const ALL: [Self; 3] = [Self::Free, Self::Plus, Self::Enterprise];
    /// What lies between two tiers.
    pub const STEP: i64 = 100;
    /// The greatest priority there is.
    pub const HIGHEST_PRIORITY: i64 = Self::Enterprise.priority();

    /// The place of its jobs in the queue: more comes first. Jobs of organizations that nobody has claimed have 0.
    #[must_use]
    pub const fn priority(self) -> i64 {
        match self {
            Self::Free => Self::STEP,
            Self::Plus => 2 * Self::STEP,
            Self::Enterprise => 3 * Self::STEP,
        }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Plus => "plus",
            Self::Enterprise => "enterprise",
        }
    }
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Tier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|tier| tier.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a tier: expected one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}
