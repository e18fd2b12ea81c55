//! Who is billed for what runners worked, and what the billing provider was told of it.
//!
//! The rows of `runner_usage` are the outbox: each is told once, and how that went is written beside it.

use std::time::Duration;

use bencher_types::{DateTime, JobUuid, OrganizationUuid};

use super::{Micros, Queries as _, Store, StoreError, Text};
use crate::values;

/// Work that is to be told.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DueRow {
    pub id: i64,
    pub job_uuid: Text<JobUuid>,
    pub attempt: i64,
    pub minutes: i64,
    pub ended: Micros,
    pub customer: String,
    pub tries: i64,
    pub failures: i64,
    /// The first try after which it may have been taken.
    pub first_try: Option<Micros>,
}

/// What a try came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The provider has it.
    Sent,
    /// It will never take it.
    Refused,
    /// Nobody knows whether it has it, and it is too late to say it again.
    Uncertain,
    /// To be tried again: it surely does not have it.
    NotTaken,
    /// To be tried again: its answer did not come.
    Unanswered,
    /// To be tried again: it failed, and would give the same answer to the same request.
    Failed,
}

impl Told {
    const fn state(self) -> Option<&'static str> {
        match self {
            Self::Sent => Some("sent"),
            Self::Refused => Some("refused"),
            Self::Uncertain => Some("uncertain"),
            Self::NotTaken | Self::Unanswered | Self::Failed => None,
        }
    }
}

/// An organization that is billed.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CustomerRow {
    pub customer: String,
    pub since: Micros,
}

/// How much of an organization's work was told how.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ToldRow {
    /// `None`: not yet.
    pub state: Option<String>,
    pub minutes: i64,
    pub attempts: i64,
}

/// Work that the provider does not have, and why.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ProblemRow {
    pub job_uuid: Text<JobUuid>,
    pub attempt: i64,
    pub minutes: i64,
    pub ended: Micros,
    pub state: Option<String>,
    pub tries: i64,
    pub message: String,
}

impl Store {
    /// Whom an organization's work is billed to.
    ///
    /// # Errors
    /// The database failed.
    pub async fn billing_customer(&self, organization: OrganizationUuid) -> Result<Option<CustomerRow>, StoreError> {
        let sql = "SELECT customer, since FROM billing_customer WHERE organization_uuid = $1";
        self.read().await?.optional(sql, values![organization]).await
    }

    /// Bills what an organization's runners work from now on to a customer, or to nobody. One who is billed already goes on being
    /// billed from the time on that was said first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_billing_customer(
        &self,
        organization: OrganizationUuid,
        customer: Option<&str>,
        now: DateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        match customer {
            Some(customer) => {
                let sql = "INSERT INTO billing_customer (organization_uuid, customer, since) VALUES ($1, $2, $3) \
                           ON CONFLICT (organization_uuid) DO UPDATE SET customer = excluded.customer";
                tx.execute(sql, values![organization, customer, now]).await?;
            }
            None => {
                tx.execute("DELETE FROM billing_customer WHERE organization_uuid = $1", values![organization]).await?;
            }
        }
        tx.commit().await
    }

    /// Work that is to be told now, the oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn due_billing(&self, now: DateTime, limit: u32) -> Result<Vec<DueRow>, StoreError> {
        let sql = "SELECT worked.id, worked.job_uuid, worked.attempt, worked.minutes, worked.ended, \
                     COALESCE(worked.billing_customer, billing_customer.customer) AS customer, worked.billing_tries AS tries, \
                     worked.billing_failures AS failures, worked.billing_first_try AS first_try \
                   FROM billing_customer JOIN runner_usage AS worked ON worked.organization_uuid = billing_customer.organization_uuid \
                   WHERE worked.billing_state IS NULL AND worked.billing_next <= $1 AND worked.ended >= billing_customer.since \
                   ORDER BY worked.id LIMIT $2";
        self.read().await?.all(sql, values![now, limit]).await
    }

    /// Takes work in hand: nobody else does for a while. Whether nobody had.
    ///
    /// # Errors
    /// The database failed.
    pub async fn take_billing(&self, due: &DueRow, hold: Duration, now: DateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE runner_usage SET billing_tries = billing_tries + 1, billing_customer = $3, billing_next = $4, \
                   billing_first_try = COALESCE(billing_first_try, $5) \
                   WHERE id = $1 AND billing_tries = $2 AND billing_state IS NULL";
        let changed = tx.execute(sql, values![due.id, due.tries, due.customer.clone(), now.saturating_add(hold), now]).await?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Writes what a try came to; where it is tried again, not before `next`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn settle_billing(
        &self,
        due: &DueRow,
        told: Told,
        message: Option<String>,
        next: DateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // Where the provider surely has it not, the next try is as good as the first.
        let first_try = due.first_try.map(|time| time.0).filter(|_| told == Told::NotTaken);
        let sql = "UPDATE runner_usage SET billing_state = $2, billing_message = $3, billing_next = $4, \
                   billing_failures = billing_failures + $5, \
                   billing_first_try = CASE WHEN $6 = 1 THEN $7 ELSE billing_first_try END WHERE id = $1";
        tx.execute(
            sql,
            values![
                due.id,
                told.state().map(str::to_owned),
                message,
                next,
                i64::from(told == Told::Failed),
                i64::from(told == Told::NotTaken),
                first_try,
            ],
        )
        .await?;
        tx.commit().await
    }

    /// How much of an organization's work was told how, of what is billed.
    ///
    /// # Errors
    /// The database failed.
    pub async fn told_billing(&self, organization: OrganizationUuid, since: DateTime) -> Result<Vec<ToldRow>, StoreError> {
        let sql = "SELECT billing_state AS state, CAST(SUM(minutes) AS BIGINT) AS minutes, COUNT(*) AS attempts FROM runner_usage \
                   WHERE organization_uuid = $1 AND (billing_state IS NOT NULL OR ended >= $2) GROUP BY billing_state ORDER BY 1";
        self.read().await?.all(sql, values![organization, since]).await
    }

    /// The latest work of an organization that could not be told.
    ///
    /// # Errors
    /// The database failed.
    pub async fn billing_problems(&self, organization: OrganizationUuid, limit: u32) -> Result<Vec<ProblemRow>, StoreError> {
        let sql = "SELECT job_uuid, attempt, minutes, ended, billing_state AS state, billing_tries AS tries, \
                   billing_message AS message FROM runner_usage \
                   WHERE organization_uuid = $1 AND billing_message IS NOT NULL AND COALESCE(billing_state, 'pending') <> 'sent' \
                   ORDER BY id DESC LIMIT $2";
        self.read().await?.all(sql, values![organization, limit]).await
    }
}
