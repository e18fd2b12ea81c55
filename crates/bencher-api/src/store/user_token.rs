//! Users' API tokens in the database: what they say, not the tokens, which are signed again when they are shown.

use bencher_types::{DateTime, Email, ResourceName, TokenUuid, UserUuid};

use super::{Micros, Queries, Store, StoreError, Text, credential::Credential, user::UserRow};
use crate::values;

/// A row of `user_token` with its user.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UserTokenRow {
    pub id: i64,
    pub uuid: Text<TokenUuid>,
    pub user_uuid: Text<UserUuid>,
    pub name: Text<ResourceName>,
    /// Who issued it.
    pub issuer: String,
    /// Whose it was at that time.
    pub subject: String,
    pub creation: Micros,
    pub expiration: Micros,
    pub revoked: Option<Micros>,
}

const COLUMNS: &str = "user_token.*, users.uuid AS user_uuid";
const FROM: &str = "user_token JOIN users ON users.id = user_token.user_id";

impl Credential for UserTokenRow {
    const TABLE: &'static str = "user_token";
    const OWNER: &'static str = "user_id";
    const FROM: &'static str = FROM;
    const COLUMNS: &'static str = COLUMNS;
    type Uuid = TokenUuid;
}

/// A token that is to be stored.
#[derive(Clone, Debug)]
pub struct NewUserTokenRow<'a> {
    pub user: i64,
    pub name: &'a ResourceName,
    pub issuer: &'a str,
    pub subject: &'a Email,
    pub creation: DateTime,
    pub expiration: DateTime,
}

impl Store {
    /// Stores a new token.
    ///
    /// # Errors
    /// The database failed.
    pub async fn create_user_token(&self, new: &NewUserTokenRow<'_>) -> Result<UserTokenRow, StoreError> {
        let uuid = TokenUuid::random();
        let mut tx = self.begin().await?;
        tx.execute(
            "INSERT INTO user_token (uuid, user_id, name, issuer, subject, creation, expiration) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            values![uuid, new.user, new.name, new.issuer, new.subject, new.creation, new.expiration],
        )
        .await?;
        let row = tx.one(format!("SELECT {COLUMNS} FROM {FROM} WHERE user_token.uuid = $1"), values![uuid]).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// The user with this token, while the token is neither expired nor revoked.
    ///
    /// # Errors
    /// The database failed.
    pub async fn user_by_token(&self, token: TokenUuid, now: DateTime) -> Result<Option<UserRow>, StoreError> {
        let sql = "SELECT users.* FROM user_token JOIN users ON users.id = user_token.user_id \
                   WHERE user_token.uuid = $1 AND user_token.revoked IS NULL AND user_token.expiration > $2";
        self.read().await?.optional(sql, values![token, now]).await
    }
}
