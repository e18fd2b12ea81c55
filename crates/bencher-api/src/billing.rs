//! Tells a billing provider what runners worked: each attempt of a job is one event, told once.
//!
//! What is to be told is in the database, written in the transaction that ended the attempt, so that a crash loses nothing. An event has
//! the same identifier however often it is told, and a provider takes one identifier once within a day. One whose fate is unknown after
//! almost that long is told no more: it is `uncertain`, and a person has to look it up. Nobody waits for billing, and no job fails
//! because of it.

pub mod stripe;

use std::{future::Future, sync::Arc, time::Duration};

use bencher_types::{DateTime, JobUuid};

use crate::{
    app::App,
    chain::chain,
    config::billing::Billing,
    limits,
    store::{
        StoreError,
        billing::{DueRow, Told},
    },
};

/// What a provider is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterEvent {
    /// The same for each try of the same event, and no other's.
    pub identifier: String,
    /// Changes after an answer that the provider would only repeat.
    pub idempotency_key: String,
    /// As the provider knows the organization.
    pub customer: String,
    pub minutes: i64,
    pub ended: DateTime,
}

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Not taken now or ever.
    #[error("the billing provider refused it: {0}")]
    Refused(String),
    /// Surely not taken; may be tried again.
    #[error("the billing provider did not take it: {0}")]
    NotTaken(String),
    /// The provider failed and said so; it may have taken it.
    #[error("the billing provider failed: {0}")]
    Failed(String),
    /// An earlier try is still being served.
    #[error("the billing provider has it in hand: {0}")]
    Busy(String),
    /// It may have been taken.
    #[error("the billing provider did not answer")]
    Unanswered(#[source] reqwest::Error),
}

/// Who bills.
pub trait Provider: Send + Sync {
    /// Tells of work. Telling it again with the same identifier changes nothing.
    fn report(&self, event: &MeterEvent) -> impl Future<Output = Result<(), ReportError>> + Send;
}

/// Tells what there is to tell, for as long as the server runs. Does nothing where no provider is configured.
pub async fn keep_reporting(app: Arc<App>) {
    let Some(Billing::Stripe(config)) = app.config.billing() else { return };
    let provider = match stripe::Stripe::new(config) {
        Ok(provider) => provider,
        Err(error) => {
            tracing::error!(error = chain(&error), "nothing is billed: no client could be made");
            return;
        }
    };
    loop {
        if let Err(error) = report_due(&app, &provider).await {
            tracing::error!(error = chain(&error), "could not look for what is to be billed");
        }
        tokio::time::sleep(limits::BILLING_INTERVAL).await;
    }
}

/// Tells everything that is due; how many events were taken.
///
/// # Errors
/// The database failed; what was told stays told.
pub async fn report_due(app: &App, provider: &impl Provider) -> Result<usize, StoreError> {
    let mut taken = 0;
    loop {
        let due = app.store.due_billing(app.clock.now(), limits::BILLING_BATCH).await?;
        let is_last = due.len() < limits::BILLING_BATCH as usize;
        for event in due {
            if report_one(app, provider, &event).await? {
                taken += 1;
            }
        }
        if is_last {
            return Ok(taken);
        }
    }
}

async fn report_one(app: &App, provider: &impl Provider, due: &DueRow) -> Result<bool, StoreError> {
    let now = app.clock.now();
    if due.first_try.is_some_and(|first| now.since(first.0) > limits::BILLING_IDENTIFIER_LIFE) {
        let message = "the provider may have taken it: look it up there by its identifier".to_owned();
        tracing::error!(job.uuid = %due.job_uuid.0, due.attempt, "work may or may not be billed");
        app.store.settle_billing(due, Told::Uncertain, Some(message), now).await?;
        return Ok(false);
    }
    if !app.store.take_billing(due, limits::BILLING_HOLD, now).await? {
        // Another server has it in hand.
        return Ok(false);
    }
    let outcome = provider.report(&event(due)).await;
    let (told, message) = match &outcome {
        Ok(()) => (Told::Sent, None),
        Err(error) => (told(error), Some(chain(error))),
    };
    match (&message, told) {
        (Some(error), Told::Refused) => tracing::error!(job.uuid = %due.job_uuid.0, error, "work was not billed"),
        (Some(error), _) => tracing::warn!(job.uuid = %due.job_uuid.0, error, "could not bill work; trying again"),
        (None, _) => {}
    }
    let next = app.clock.now().saturating_add(backoff(due.tries));
    app.store.settle_billing(due, told, message, next).await?;
    Ok(told == Told::Sent)
}

/// What a provider knows the work of one attempt by.
#[must_use]
pub fn identifier(job: JobUuid, attempt: i64) -> String {
    format!("bencher-{job}-{attempt}")
}

fn event(due: &DueRow) -> MeterEvent {
    let identifier = identifier(due.job_uuid.0, due.attempt);
    MeterEvent {
        idempotency_key: format!("{identifier}-{}", due.failures),
        identifier,
        customer: due.customer.clone(),
        minutes: due.minutes,
        ended: due.ended.0,
    }
}

const fn told(error: &ReportError) -> Told {
    match error {
        ReportError::Refused(_) => Told::Refused,
        ReportError::NotTaken(_) => Told::NotTaken,
        ReportError::Failed(_) => Told::Failed,
        ReportError::Busy(_) | ReportError::Unanswered(_) => Told::Unanswered,
    }
}

/// How long to wait after so many tries before this one.
fn backoff(tries: i64) -> Duration {
    let doublings = u32::try_from(tries).unwrap_or(u32::MAX);
    let wait = limits::BILLING_BACKOFF.0.saturating_mul(2_u32.saturating_pow(doublings));
    wait.min(limits::BILLING_BACKOFF.1)
}

#[cfg(test)]
mod tests;
