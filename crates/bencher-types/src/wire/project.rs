//! Projects.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use url::Url;

use crate::{DateTime, OrganizationUuid, ProjectUuid, ResourceName, Slug, Timeout};

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonProject)]
pub struct Project {
    pub uuid: ProjectUuid,
    pub organization: OrganizationUuid,
    pub name: ResourceName,
    pub slug: Slug,
    pub url: Option<Url>,
    pub visibility: Visibility,
    pub created: DateTime,
    pub modified: DateTime,
    pub claimed: Option<DateTime>,
    /// How many of its jobs run at once at most; as its organization may when absent.
    pub max_jobs: Option<u32>,
    /// How long one iteration of a job may take at most; as its organization may when absent.
    pub max_timeout: Option<Timeout>,
    /// When the project was deleted. Only admins of the server see deleted ones, and where they ask for them.
    pub deleted: Option<DateTime>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewProject)]
pub struct NewProject {
    pub name: ResourceName,
    pub slug: Option<Slug>,
    pub url: Option<Url>,
    pub visibility: Option<Visibility>,
}

/// Who may see a project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    #[default]
    Public,
    Private,
}

impl Visibility {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

impl std::str::FromStr for Visibility {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "public" => Ok(Self::Public),
            "private" => Ok(Self::Private),
            _ => Err(format!("`{text}` is not a visibility: expected public or private")),
        }
    }
}

/// Body of `PATCH` on a project: what is absent stays, and what is `null` is removed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateProject)]
pub struct UpdateProject {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ResourceName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<Slug>,
    #[serde(default, with = "serde_with::rust::double_option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Url>)]
    pub url: Option<Option<Url>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// For who manages the project; `null` removes the bound.
    #[serde(default, with = "serde_with::rust::double_option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub max_jobs: Option<Option<u32>>,
    /// For who manages the project; `null` removes the bound.
    #[serde(default, with = "serde_with::rust::double_option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Timeout>)]
    pub max_timeout: Option<Option<Timeout>>,
}
