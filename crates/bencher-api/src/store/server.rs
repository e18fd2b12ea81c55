//! The one row that says which installation this is.

use bencher_types::{DateTime, ServerUuid};

use super::{Queries, Store, StoreError, Text};
use crate::values;

#[derive(sqlx::FromRow)]
struct ServerRow {
    uuid: Text<ServerUuid>,
}

impl Store {
    /// This installation's id, made at the first call.
    ///
    /// # Errors
    /// The database failed.
    pub async fn server_uuid(&self, now: DateTime) -> Result<ServerUuid, StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(
            "INSERT INTO server (id, uuid, created) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING",
            values![ServerUuid::random(), now],
        )
        .await?;
        let row: ServerRow = tx.one("SELECT uuid FROM server WHERE id = 1", values![]).await?;
        tx.commit().await?;
        Ok(row.uuid.0)
    }
}
