//! Billing: whom an organization's work is billed to, and what the billing provider was told. Ours; for admins of the server.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{DateTime, JobUuid, OrganizationUuid};

/// How an organization is billed.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonBilling)]
pub struct Billing {
    pub organization: OrganizationUuid,
    /// Which provider the server is configured for; absent where there is none.
    pub provider: Option<BillingProvider>,
    /// As the provider knows the organization; absent while it is not billed.
    pub customer: Option<String>,
    /// What ended earlier is not billed.
    pub since: Option<DateTime>,
    pub sent: BillingSum,
    /// Not told yet, or to be tried again.
    pub pending: BillingSum,
    /// The provider will not take it: see `problems`.
    pub refused: BillingSum,
    /// The provider may have taken it, and nobody knows.
    pub uncertain: BillingSum,
    /// The latest events that the provider does not have, or not surely.
    pub problems: Vec<BillingProblem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BillingProvider)]
pub enum BillingProvider {
    Stripe,
}

/// Work, in two measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonBillingSum)]
pub struct BillingSum {
    pub runner_minutes: u32,
    /// How many attempts of jobs those are; each is one event.
    pub attempts: u32,
}

/// An event that the provider does not have, or not surely.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonBillingProblem)]
pub struct BillingProblem {
    /// What the provider knows the event by.
    pub identifier: String,
    pub job: JobUuid,
    pub attempt: u32,
    pub runner_minutes: u32,
    pub ended: DateTime,
    pub state: BillingState,
    /// How often it was told.
    pub tries: u32,
    /// What came of the last time.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BillingState)]
pub enum BillingState {
    Pending,
    Refused,
    Uncertain,
}

/// Body of `PUT` on an organization's billing.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateBilling)]
pub struct UpdateBilling {
    /// As the provider knows the organization, such as `cus_…`; absent or `null` bills it no more.
    pub customer: Option<String>,
}
