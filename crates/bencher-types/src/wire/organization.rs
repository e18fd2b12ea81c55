//! Organizations: they own projects.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{DateTime, OrganizationUuid, ResourceName, Slug};

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonOrganization)]
pub struct Organization {
    pub uuid: OrganizationUuid,
    pub name: ResourceName,
    pub slug: Slug,
    pub created: DateTime,
    pub modified: DateTime,
    /// When the first member took the organization over; absent while nobody has.
    pub claimed: Option<DateTime>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewOrganization)]
pub struct NewOrganization {
    pub name: ResourceName,
    pub slug: Option<Slug>,
}

/// Body of `PATCH` on an organization: what is absent stays.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateOrganization)]
pub struct UpdateOrganization {
    pub name: Option<ResourceName>,
    pub slug: Option<Slug>,
}
