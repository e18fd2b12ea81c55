//! What users' keys, users' tokens and projects' keys have in common: an owner, a name, and an end.

use bencher_types::{DateTime, ResourceName};

use super::{ListBy, ListQuery, Queries, Row, Store, StoreError, Value};

/// A row of one of the three tables.
pub trait Credential: Row {
    const TABLE: &'static str;
    /// The column of its owner's row.
    const OWNER: &'static str;
    /// What a row is read from: the table, and what is joined to it.
    const FROM: &'static str;
    const COLUMNS: &'static str;
    type Uuid: Copy + Into<Value> + Send;
}

impl Store {
    /// One page of what an owner has, what was revoked or what was not; and how much there is.
    ///
    /// # Errors
    /// The database failed.
    pub async fn credentials<C: Credential>(&self, owner: i64, revoked: bool, by: &ListBy) -> Result<(Vec<C>, u64), StoreError> {
        let (table, not) = (C::TABLE, if revoked { "NOT" } else { "" });
        let query = ListQuery::new(C::COLUMNS, C::FROM)
            .filter(&format!("{table}.{} = ?", C::OWNER), owner)
            .when(&format!("{table}.revoked IS {not} NULL"));
        query.named_without_slug(&mut self.read().await?, table, "creation", by).await
    }

    /// One of an owner's.
    ///
    /// # Errors
    /// The database failed.
    pub async fn credential<C: Credential>(&self, owner: i64, uuid: C::Uuid) -> Result<Option<C>, StoreError> {
        let (table, from, columns) = (C::TABLE, C::FROM, C::COLUMNS);
        let sql = format!("SELECT {columns} FROM {from} WHERE {table}.{} = $1 AND {table}.uuid = $2", C::OWNER);
        self.read().await?.optional(sql, vec![owner.into(), uuid.into()]).await
    }

    /// Gives one of an owner's another name; `false` where there is no such one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn rename_credential<C: Credential>(
        &self,
        owner: i64,
        uuid: C::Uuid,
        name: &ResourceName,
    ) -> Result<bool, StoreError> {
        self.change_credential::<C>("name = $3", owner, uuid, name.into()).await
    }

    /// Revokes one of an owner's, at the first time this is asked; `false` where there is no such one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn revoke_credential<C: Credential>(&self, owner: i64, uuid: C::Uuid, now: DateTime) -> Result<bool, StoreError> {
        self.change_credential::<C>("revoked = COALESCE(revoked, $3)", owner, uuid, now.into()).await
    }

    async fn change_credential<C: Credential>(
        &self,
        change: &'static str,
        owner: i64,
        uuid: C::Uuid,
        value: Value,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!("UPDATE {} SET {change} WHERE {} = $1 AND uuid = $2", C::TABLE, C::OWNER);
        let changed = tx.execute(sql, vec![owner.into(), uuid.into(), value]).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }
}
