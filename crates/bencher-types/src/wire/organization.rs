//! Organizations: they own projects.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{DateTime, OrganizationUuid, ProjectUuid, ResourceName, Slug, Tier};

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
    /// Its standing in the queue.
    pub tier: Option<Tier>,
    /// When the organization was deleted. Only admins of the server see deleted ones, and where they ask for them.
    pub deleted: Option<DateTime>,
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
    /// Admins of the server only.
    pub tier: Option<Tier>,
}

/// Body of `POST` on an organization's claim: there is nothing to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewClaim)]
pub struct NewClaim {}

/// Whether the caller may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonAllowed)]
pub struct Allowed {
    pub allowed: bool,
}

/// What an organization used within a time.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUsage)]
pub struct Usage {
    pub organization: OrganizationUuid,
    pub kind: UsageKind,
    pub start_time: DateTime,
    pub end_time: DateTime,
    /// How many metrics were stored.
    pub metrics: Option<u32>,
    /// How many series got a metric.
    pub active_series: Option<u32>,
    /// How long runners worked: begun minutes of each attempt of a job that ended within that time.
    pub runner_minutes: Option<u32>,
    /// The same by project.
    pub projects: Option<Vec<ProjectUsage>>,
}

/// What runners worked for one project.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonProjectUsage)]
pub struct ProjectUsage {
    pub project: ProjectUuid,
    /// Absent where the project was deleted for good.
    pub slug: Option<Slug>,
    pub runner_minutes: u32,
    /// How many attempts of jobs those are.
    pub attempts: u32,
}

/// By which rules usage is counted. A server of one's own is always `self_hosted_free`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageKind)]
pub enum UsageKind {
    CloudFree,
    CloudMetered,
    CloudSelfHostedLicensed,
    SelfHostedFree,
    SelfHostedLicensed,
}
