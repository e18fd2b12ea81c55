//! Whether a runner is there: its connection, what it does, and that it was not heard of any more.

use bencher_types::{DateTime, KeyHash, wire::runner::RunnerState};
use uuid::Uuid;

use super::{Queries, Store, StoreError};
use crate::values;

impl Store {
    /// The runner has a new connection; `false` where the key it came with is not good any more.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enter_session(&self, runner_id: i64, key: &KeyHash, session: Uuid) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE runner SET session = $3 WHERE id = $1 AND key_hash = $2 AND archived IS NULL";
        let changed = tx.execute(sql, values![runner_id, key, session.to_string()]).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// What a runner is doing and that it was heard of. Where it was on a connection, nothing is written if it has a newer one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_runner_state(
        &self,
        runner_id: i64,
        session: Option<Uuid>,
        state: RunnerState,
        now: DateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(
            "UPDATE runner SET state = $2, last_heartbeat = $3 WHERE id = $1 AND ($4 IS NULL OR session = $4)",
            values![runner_id, state.as_str(), now, session.map(|session| session.to_string())],
        )
        .await?;
        tx.commit().await
    }

    /// The runner of a job was not heard of for too long: it is not there, unless it has another job by now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn lose_runner(&self, runner_id: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE runner SET state = $2 WHERE id = $1 AND state = $3 \
                   AND NOT EXISTS (SELECT 1 FROM job WHERE runner_id = $1 AND status IN (1, 2))";
        tx.execute(sql, values![runner_id, RunnerState::Offline.as_str(), RunnerState::Running.as_str()]).await?;
        tx.commit().await
    }

    /// What a runner says it is; `None` where it does not say.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_runner_version(&self, runner_id: i64, version: Option<&str>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute("UPDATE runner SET version = $2 WHERE id = $1", values![runner_id, version]).await?;
        tx.commit().await
    }
}
