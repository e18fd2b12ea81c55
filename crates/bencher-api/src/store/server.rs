//! The one row that says which installation this is.

use std::path::Path;

use bencher_types::{DateTime, ServerUuid};

use super::{Queries, Store, StoreError, Text, sqlite};
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

impl Store {
    /// Copies the SQLite database in a file to another, which is empty or not there, as it is at one moment.
    ///
    /// # Errors
    /// The database cannot be read, or the copy not be written.
    pub async fn copy_to(&self, database: &Path, to: &Path) -> Result<(), StoreError> {
        sqlite::copy(database, to).await
    }

    /// What is wrong with a copy; `None` where it is sound.
    ///
    /// # Errors
    /// The copy cannot be read.
    pub async fn damage_of(&self, copy: &Path) -> Result<Option<String>, StoreError> {
        sqlite::damage(copy).await
    }
}
