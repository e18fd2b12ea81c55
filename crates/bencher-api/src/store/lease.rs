//! Until when the runners of jobs in flight may be silent.

use std::time::Duration;

use bencher_types::{DateTime, JobUuid};

use super::{Micros, Queries, Store, StoreError, Text, queue::Expired};
use crate::values;

#[derive(sqlx::FromRow)]
struct Lease {
    uuid: Text<JobUuid>,
    attempt: i64,
    runner_id: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct NextExpiry {
    expires: Option<Micros>,
}

impl Store {
    /// The runner is alive: a new lease.
    ///
    /// # Errors
    /// The database failed.
    pub async fn renew_lease(&self, job: JobUuid, attempt: i64, lease: Duration, now: DateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(
            "UPDATE job SET lease_expires = $3 WHERE uuid = $1 AND attempt = $2 AND status IN (1, 2)",
            values![job, attempt, now.saturating_add(lease)],
        )
        .await?;
        tx.commit().await
    }

    /// Jobs in flight whose runner was not heard of in time.
    ///
    /// # Errors
    /// The database failed.
    pub async fn expired_leases(&self, now: DateTime) -> Result<Vec<Expired>, StoreError> {
        let mut conn = self.read().await?;
        let rows: Vec<Lease> = conn
            .all(
                "SELECT uuid, attempt, runner_id FROM job WHERE status IN (1, 2) AND lease_expires <= $1 ORDER BY id",
                values![now],
            )
            .await?;
        Ok(rows.into_iter().map(|row| Expired { job: row.uuid.0, attempt: row.attempt, runner: row.runner_id }).collect())
    }

    /// When the next lease runs out, if a job is in flight.
    ///
    /// # Errors
    /// The database failed.
    pub async fn next_lease_expiry(&self) -> Result<Option<DateTime>, StoreError> {
        let mut conn = self.read().await?;
        let row: NextExpiry = conn.one("SELECT MIN(lease_expires) AS expires FROM job WHERE status IN (1, 2)", values![]).await?;
        Ok(row.expires.map(|expires| expires.0))
    }

    /// Gives every runner in a job time to be heard of, after nobody listened.
    ///
    /// # Errors
    /// The database failed.
    pub async fn extend_leases(&self, lease: Duration, now: DateTime) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let until = now.saturating_add(lease);
        let changed =
            tx.execute("UPDATE job SET lease_expires = $1 WHERE status IN (1, 2) AND lease_expires < $1", values![until]).await?;
        tx.commit().await?;
        Ok(changed)
    }
}
