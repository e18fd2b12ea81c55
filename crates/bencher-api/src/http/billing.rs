//! `/v0/organizations/{organization}/billing`: whom an organization's work is billed to, and what came of that.

use axum::extract::State;
use bencher_types::{
    OrganizationUuid, ResourceId,
    wire::billing::{Billing, BillingProblem, BillingProvider, BillingState, BillingSum, UpdateBilling},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Json, Path},
};
use crate::{
    app::App,
    auth::Admin,
    billing::identifier,
    config::billing::Billing as Configured,
    error::ApiError,
    limits,
    store::{StoreError, billing::ToldRow},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(organization_billing, organization_billing_update))
}

/// Shows an admin of the server how an organization is billed.
#[utoipa::path(get, path = "/v0/organizations/{organization}/billing", tag = "organizations", params(("organization" = ResourceId, Path)), responses((status = 200, body = Billing)))]
async fn organization_billing(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<ResourceId>,
) -> Result<axum::Json<Billing>, ApiError> {
    let organization = app.store.organization(&id, None).await?.ok_or_else(|| ApiError::not_found("Organization", &id))?;
    Ok(axum::Json(shown(&app, organization.uuid.0).await?))
}

/// Bills what runners work for an organization from now on to a customer of the billing provider, or to nobody any more.
#[utoipa::path(put, path = "/v0/organizations/{organization}/billing", tag = "organizations", params(("organization" = ResourceId, Path)), request_body = UpdateBilling, responses((status = 200, body = Billing)))]
async fn organization_billing_update(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<ResourceId>,
    Json(update): Json<UpdateBilling>,
) -> Result<axum::Json<Billing>, ApiError> {
    let organization = app.store.organization(&id, None).await?.ok_or_else(|| ApiError::not_found("Organization", &id))?;
    let customer = update.customer.as_deref().map(str::trim);
    if let Some(customer) = customer
        && (customer.is_empty() || customer.len() > limits::MAX_BILLING_CUSTOMER_CHARS || customer.contains(char::is_control))
    {
        let most = limits::MAX_BILLING_CUSTOMER_CHARS;
        return Err(ApiError::bad_request(format!("`customer` must be an id of 1 to {most} characters, such as cus_…")));
    }
    app.store.set_billing_customer(organization.uuid.0, customer, app.clock.now()).await?;
    Ok(axum::Json(shown(&app, organization.uuid.0).await?))
}

async fn shown(app: &App, organization: OrganizationUuid) -> Result<Billing, StoreError> {
    let customer = app.store.billing_customer(organization).await?;
    let since = customer.as_ref().map(|customer| customer.since.0);
    // Of somebody who is not billed, only what was told before counts.
    let told = app.store.told_billing(organization, since.unwrap_or(app.clock.now())).await?;
    let sum = |state: Option<&str>| {
        let row = told.iter().find(|row| row.state.as_deref() == state);
        row.map_or(BillingSum::default(), |ToldRow { minutes, attempts, .. }| BillingSum {
            runner_minutes: small(*minutes),
            attempts: small(*attempts),
        })
    };
    let problems = app.store.billing_problems(organization, limits::BILLING_PROBLEMS_SHOWN).await?;
    let problems = problems.into_iter().map(|row| BillingProblem {
        identifier: identifier(row.job_uuid.0, row.attempt),
        job: row.job_uuid.0,
        attempt: small(row.attempt),
        runner_minutes: small(row.minutes),
        ended: row.ended.0,
        state: match row.state.as_deref() {
            Some("refused") => BillingState::Refused,
            Some("uncertain") => BillingState::Uncertain,
            _ => BillingState::Pending,
        },
        tries: small(row.tries),
        message: row.message,
    });
    Ok(Billing {
        organization,
        provider: app.config.billing().map(|Configured::Stripe(_)| BillingProvider::Stripe),
        customer: customer.map(|customer| customer.customer),
        since,
        sent: sum(Some("sent")),
        pending: sum(None),
        refused: sum(Some("refused")),
        uncertain: sum(Some("uncertain")),
        problems: problems.collect(),
    })
}

fn small(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
