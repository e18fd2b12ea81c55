//! Users in the database.

use std::collections::{BTreeSet, HashMap};

use bencher_types::{
    DateTime, Email, KeyHash, OrganizationUuid, ResourceId, ResourceName, Slug, UserName, UserUuid,
    wire::{
        auth::{PubUser, UpdateUser, User},
        organization::NewOrganization,
    },
};

use super::{
    Count, ListBy, ListQuery, Micros, Queries, Store, StoreError, Text, Tx, Value,
    member::{self, InvitationRow},
    organization, placeholders, slug,
};
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
    /// Tokens that were issued before this are not this user's.
    pub tokens_from: Micros,
    pub created: Micros,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            uuid: row.uuid.0,
            name: row.name.0,
            slug: row.slug.0,
            email: row.email.0,
            admin: row.admin != 0,
            locked: row.locked != 0,
            created: Some(row.created.0),
        }
    }
}

impl From<UserRow> for PubUser {
    fn from(row: UserRow) -> Self {
        Self { uuid: row.uuid.0, name: row.name.0, slug: row.slug.0 }
    }
}

/// The first organization of a new user.
#[derive(Clone, Copy, Debug)]
pub enum Home<'a> {
    /// One of its own, which it leads.
    Own,
    /// One that nobody had claimed.
    Claimed(OrganizationUuid),
    /// The one it is invited to.
    Invited(&'a InvitationRow),
}

impl Store {
    /// Whether anybody has ever signed up.
    ///
    /// # Errors
    /// The database failed.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        let users: Count = self.read().await?.one("SELECT COUNT(*) AS count FROM users", values![]).await?;
        Ok(users.get() > 0)
    }

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

    /// Marks a confirmation as used; `false` where it was already.
    ///
    /// # Errors
    /// The database failed.
    pub async fn use_confirmation(&self, hash: &str, expires: DateTime, now: DateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.execute("DELETE FROM used_confirmation WHERE expires <= $1", values![now]).await?;
        let sql = "INSERT INTO used_confirmation (hash, expires) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";
        let inserted = tx.execute(sql, values![hash, expires]).await?;
        tx.commit().await?;
        Ok(inserted > 0)
    }

    /// The user of this id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn user(&self, id: &ResourceId) -> Result<Option<UserRow>, StoreError> {
        let sql = format!("SELECT * FROM users WHERE {} = $1", super::id_column(id));
        self.read().await?.optional(sql, values![id.to_string()]).await
    }

    /// One page of users, and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn users(&self, by: &ListBy) -> Result<(Vec<UserRow>, u64), StoreError> {
        ListQuery::new("users.*", "users").named(&mut self.read().await?, "users", by).await
    }

    /// Creates a user in its first organization. The first user ever is an admin. `None`, and no user, where it is invited and the
    /// invitation is gone by now, or where the organization that it claims is not there to be claimed.
    ///
    /// # Errors
    /// The address or the slug is taken, or the database failed.
    pub async fn create_user(
        &self,
        name: &UserName,
        slug: Option<&Slug>,
        email: &Email,
        home: Home<'_>,
        now: DateTime,
    ) -> Result<Option<UserRow>, StoreError> {
        let mut tx = self.begin().await?;
        // Of two first users at once, one waits here and then finds the other.
        tx.lock_row("server", 1).await?;
        let users: Count = tx.one("SELECT COUNT(*) AS count FROM users", values![]).await?;
        let slug = slug::choose(&mut tx, slug::Scope::User, slug, name.as_str()).await?;
        let row: UserRow = tx
            .one(
                "INSERT INTO users (uuid, name, slug, email, admin, locked, tokens_from, created, modified) \
                 VALUES ($1, $2, $3, $4, $5, 0, $6, $6, $6) RETURNING *",
                values![UserUuid::random(), name, &slug, email, users.get() == 0, now],
            )
            .await?;
        match home {
            Home::Own => {
                let own = ResourceName::new(name.as_str()).map_err(|_| StoreError::corrupt("users.name"))?;
                organization::insert(&mut tx, row.id, &NewOrganization { name: own, slug: None }, now).await?;
            }
            Home::Invited(invitation) => {
                if !member::join(&mut tx, invitation, row.id, now).await? {
                    return Ok(None);
                }
            }
            Home::Claimed(organization) => {
                let Some(free) = organization::unclaimed(&mut tx, organization).await? else { return Ok(None) };
                if !organization::claim(&mut tx, free.id, row.id, now).await? {
                    return Ok(None);
                }
            }
        }
        tx.commit().await?;
        Ok(Some(row))
    }

    /// Changes what is named, and returns the user as it is then. A new address makes tokens in the name of the old one void.
    /// `None` where nobody would be left to administer the server; nothing is changed then.
    ///
    /// # Errors
    /// The address or the slug is taken, or the database failed.
    pub async fn update_user(&self, id: i64, update: &UpdateUser, now: DateTime) -> Result<Option<UserRow>, StoreError> {
        let mut tx = self.begin().await?;
        tx.lock_row("server", 1).await?;
        let row: UserRow = tx
            .one(
                "UPDATE users SET name = COALESCE($2, name), slug = COALESCE($3, slug), email = COALESCE($4, email), \
                 admin = COALESCE($5, admin), locked = COALESCE($6, locked), modified = $7, \
                 tokens_from = CASE WHEN $4 IS NULL OR email = $4 THEN tokens_from ELSE $7 END \
                 WHERE id = $1 RETURNING *",
                values![id, update.name.as_ref(), update.slug.as_ref(), update.email.as_ref(), update.admin, update.locked, now,],
            )
            .await?;
        if administrators(&mut tx).await? == 0 {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(row))
    }
}

async fn administrators(tx: &mut Tx) -> Result<u64, StoreError> {
    let count: Count = tx.one("SELECT COUNT(*) AS count FROM users WHERE admin = 1 AND locked = 0", values![]).await?;
    Ok(count.get())
}

/// The users of these rows as everybody may see them, by row.
pub(crate) async fn by_ids(conn: &mut impl Queries, ids: impl Iterator<Item = i64>) -> Result<HashMap<i64, PubUser>, StoreError> {
    let ids: BTreeSet<i64> = ids.collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!("SELECT * FROM users WHERE id IN ({})", placeholders(1, ids.len()));
    let rows: Vec<UserRow> = conn.all(sql, ids.into_iter().map(Value::from).collect::<Vec<_>>()).await?;
    Ok(rows.into_iter().map(|row| (row.id, PubUser::from(row))).collect())
}
