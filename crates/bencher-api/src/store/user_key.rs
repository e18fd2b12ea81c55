//! Users' API keys in the database: their hashes, never the keys.

use bencher_types::{DateTime, KeyHash, ResourceName, UserKeyUuid, UserUuid, wire::auth::UserKeyInfo};

use super::{Micros, Queries, Store, StoreError, Text, credential::Credential};
use crate::values;

/// A row of `user_key` with its user.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UserKeyRow {
    pub id: i64,
    pub uuid: Text<UserKeyUuid>,
    pub user_uuid: Text<UserUuid>,
    pub name: Text<ResourceName>,
    pub creation: Micros,
    pub expiration: Micros,
    pub revoked: Option<Micros>,
}

impl Credential for UserKeyRow {
    const TABLE: &'static str = "user_key";
    const OWNER: &'static str = "user_id";
    const FROM: &'static str = "user_key JOIN users ON users.id = user_key.user_id";
    const COLUMNS: &'static str = "user_key.*, users.uuid AS user_uuid";
    type Uuid = UserKeyUuid;
}

impl From<UserKeyRow> for UserKeyInfo {
    fn from(row: UserKeyRow) -> Self {
        Self {
            uuid: row.uuid.0,
            user: row.user_uuid.0,
            name: row.name.0,
            creation: row.creation.0,
            expiration: row.expiration.0,
            revoked: row.revoked.map(|time| time.0),
        }
    }
}

/// A key that is to be stored.
#[derive(Clone, Debug)]
pub struct NewUserKeyRow<'a> {
    pub user: i64,
    pub name: &'a ResourceName,
    pub hash: KeyHash,
    pub creation: DateTime,
    pub expiration: DateTime,
}

impl Store {
    /// Stores a new key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn create_user_key(&self, new: &NewUserKeyRow<'_>) -> Result<UserKeyUuid, StoreError> {
        let uuid = UserKeyUuid::random();
        let mut tx = self.begin().await?;
        tx.execute(
            "INSERT INTO user_key (uuid, user_id, name, hash, creation, expiration) VALUES ($1, $2, $3, $4, $5, $6)",
            values![uuid, new.user, new.name, &new.hash, new.creation, new.expiration],
        )
        .await?;
        tx.commit().await?;
        Ok(uuid)
    }
}
