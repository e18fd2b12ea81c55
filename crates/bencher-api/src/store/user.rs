//! Users and their keys in the database.

use bencher_types::{DateTime, Email, KeyHash, Slug, UserName, UserUuid};

use super::{Micros, Queries, Store, StoreError, Text};
use crate::values;

/// A row of `users`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UserRow {
    pub id: i64,
    pub uuid: Text<UserUuid>,
    pub name: Text<UserName>,
    pub slug: Text<Slug>,
    pub email: Text<Email>,
    pub admin: i64,
    pub locked: i64,
    pub created: Micros,
}

impl Store {
    /// The user with this address.
    ///
    /// # Errors
    /// The database failed.
    pub async fn user_by_email(&self, email: &Email) -> Result<Option<UserRow>, StoreError> {
        self.read().await?.optional("SELECT * FROM users WHERE email = $1", values![email]).await
    }

    /// The user with this key, while the key is neither expired nor revoked.
    ///
    /// # Errors
    /// The database failed.
    pub async fn user_by_key(&self, hash: &KeyHash, now: DateTime) -> Result<Option<UserRow>, StoreError> {
        let sql = "SELECT users.* FROM user_key JOIN users ON users.id = user_key.user_id \
                   WHERE user_key.hash = $1 AND user_key.revoked IS NULL AND user_key.expiration > $2";
        self.read().await?.optional(sql, values![hash, now]).await
    }
}
