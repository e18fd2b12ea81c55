//! Users' API keys in the database: their hashes, never the keys.

use bencher_types::{DateTime, KeyHash, ResourceName, UserKeyUuid, UserUuid, wire::auth::UserKeyInfo};

use super::{ListBy, ListQuery, Micros, Queries, Store, StoreError, Text};
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

const COLUMNS: &str = "user_key.*, users.uuid AS user_uuid";
const FROM: &str = "user_key JOIN users ON users.id = user_key.user_id";

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

    /// One page of a user's keys, those that were revoked or those that were not; and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn user_keys(&self, user: i64, revoked: bool, by: &ListBy) -> Result<(Vec<UserKeyRow>, u64), StoreError> {
        let condition = if revoked { "user_key.revoked IS NOT NULL" } else { "user_key.revoked IS NULL" };
        let query = ListQuery::new(COLUMNS, FROM).filter("user_key.user_id = ?", user).when(condition);
        query.named_without_slug(&mut self.read().await?, "user_key", "creation", by).await
    }

    /// A user's key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn user_key(&self, user: i64, key: UserKeyUuid) -> Result<Option<UserKeyRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE user_key.user_id = $1 AND user_key.uuid = $2");
        self.read().await?.optional(sql, values![user, key]).await
    }

    /// Gives a user's key another name; `false` where there is no such key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn rename_user_key(&self, user: i64, key: UserKeyUuid, name: &ResourceName) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed =
            tx.execute("UPDATE user_key SET name = $3 WHERE user_id = $1 AND uuid = $2", values![user, key, name]).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// Revokes a user's key, at the first time this is asked; `false` where there is no such key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn revoke_user_key(&self, user: i64, key: UserKeyUuid, now: DateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE user_key SET revoked = COALESCE(revoked, $3) WHERE user_id = $1 AND uuid = $2";
        let changed = tx.execute(sql, values![user, key, now]).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }
}
