//! Specs in the database.

use std::collections::{BTreeSet, HashMap};

use bencher_types::{
    Cpu, DateTime, DiskBytes, MemoryBytes, ResourceId, ResourceName, Slug, SpecUuid,
    wire::spec::{Architecture, NewSpec, OperatingSystem, Sandbox, Spec, UpdateSpec},
};

use super::{ListBy, ListQuery, Micros, Queries, Store, StoreError, Text, Value, placeholders, slug};
use crate::values;

/// A row of `spec`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SpecRow {
    pub id: i64,
    pub uuid: Text<SpecUuid>,
    pub name: Text<ResourceName>,
    pub slug: Text<Slug>,
    pub os: Text<OperatingSystem>,
    pub architecture: Text<Architecture>,
    pub sandbox: Option<Text<Sandbox>>,
    pub cpu: i64,
    pub memory: i64,
    pub disk: i64,
    pub network: i64,
    pub fallback: Option<Micros>,
    pub archived: Option<Micros>,
    pub created: Micros,
    pub modified: Micros,
}

impl TryFrom<SpecRow> for Spec {
    type Error = StoreError;

    fn try_from(row: SpecRow) -> Result<Self, StoreError> {
        Ok(Self {
            uuid: row.uuid.0,
            name: row.name.0,
            slug: row.slug.0,
            os: row.os.0,
            architecture: row.architecture.0,
            sandbox: row.sandbox.map(|sandbox| sandbox.0),
            cpu: u32::try_from(row.cpu).ok().and_then(|cpu| Cpu::new(cpu).ok()).ok_or_else(|| StoreError::corrupt("spec.cpu"))?,
            memory: MemoryBytes::new(row.memory.unsigned_abs()).map_err(|_| StoreError::corrupt("spec.memory"))?,
            disk: DiskBytes::new(row.disk.unsigned_abs()).map_err(|_| StoreError::corrupt("spec.disk"))?,
            network: row.network != 0,
            fallback: row.fallback.map(|time| time.0),
            created: row.created.0,
            modified: row.modified.0,
            archived: row.archived.map(|time| time.0),
        })
    }
}

impl Store {
    /// One page of specs, archived ones too if asked, and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn specs(&self, archived: bool, by: &ListBy) -> Result<(Vec<Spec>, u64), StoreError> {
        let mut query = ListQuery::new("spec.*", "spec");
        if !archived {
            query = query.when("spec.archived IS NULL");
        }
        let (rows, total) = query.named::<SpecRow>(&mut self.read().await?, "spec", by).await?;
        Ok((rows.into_iter().map(Spec::try_from).collect::<Result<_, _>>()?, total))
    }

    /// The spec of this id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn spec(&self, id: &ResourceId) -> Result<Option<SpecRow>, StoreError> {
        find(&mut self.read().await?, id).await
    }

    /// Changes what is named, and returns the spec as it is then. An archived spec is neither the fallback nor any testbed's.
    ///
    /// # Errors
    /// The slug is taken, or the database failed.
    pub async fn update_spec(&self, id: i64, update: &UpdateSpec, now: DateTime) -> Result<Spec, StoreError> {
        let mut tx = self.begin().await?;
        if update.fallback == Some(true) {
            let sql = "UPDATE spec SET fallback = NULL, modified = $2 WHERE fallback IS NOT NULL AND id <> $1";
            tx.execute(sql, values![id, now]).await?;
        }
        let row: SpecRow = tx
            .one(
                "UPDATE spec SET name = COALESCE($2, name), slug = COALESCE($3, slug), modified = $6, \
                 archived = CASE WHEN $5 = 1 THEN COALESCE(archived, $6) WHEN $5 = 0 THEN NULL ELSE archived END, \
                 fallback = CASE WHEN $5 = 1 OR $4 = 0 THEN NULL WHEN $4 = 1 THEN COALESCE(fallback, $6) ELSE fallback END \
                 WHERE id = $1 RETURNING *",
                values![id, update.name.as_ref(), update.slug.as_ref(), update.fallback, update.archived, now],
            )
            .await?;
        if update.archived == Some(true) {
            tx.execute("UPDATE testbed SET spec_id = NULL, modified = $2 WHERE spec_id = $1", values![id, now]).await?;
        }
        tx.commit().await?;
        row.try_into()
    }

    /// Deletes a spec that no runner, job, testbed or report refers to.
    ///
    /// # Errors
    /// Something refers to it, or the database failed.
    pub async fn delete_spec(&self, id: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute("DELETE FROM spec WHERE id = $1", values![id]).await?;
        tx.commit().await
    }

    /// Creates a spec; a new fallback takes the place of the old one.
    ///
    /// # Errors
    /// The slug is taken, or the database failed.
    pub async fn create_spec(&self, new: &NewSpec, now: DateTime) -> Result<Spec, StoreError> {
        let mut tx = self.begin().await?;
        let slug = slug::choose(&mut tx, slug::Scope::Spec, new.slug.as_ref(), new.name.as_str()).await?;
        let fallback = new.fallback.unwrap_or(false).then_some(now);
        if fallback.is_some() {
            tx.execute("UPDATE spec SET fallback = NULL, modified = $1 WHERE fallback IS NOT NULL", values![now]).await?;
        }
        let row: SpecRow = tx
            .one(
                "INSERT INTO spec (uuid, name, slug, os, architecture, sandbox, cpu, memory, disk, network, fallback, created, modified) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) RETURNING *",
                values![
                    SpecUuid::random(),
                    &new.name,
                    &slug,
                    new.os.as_str(),
                    new.architecture.as_str(),
                    new.sandbox.map(Sandbox::as_str),
                    new.cpu.get(),
                    i64::try_from(new.memory.get()).expect("bounded by its type"),
                    i64::try_from(new.disk.get()).expect("bounded by its type"),
                    new.network.unwrap_or(false),
                    fallback,
                    now,
                ],
            )
            .await?;
        tx.commit().await?;
        row.try_into()
    }
}

/// The spec of this id.
pub(crate) async fn find(conn: &mut impl Queries, id: &ResourceId) -> Result<Option<SpecRow>, StoreError> {
    conn.optional(format!("SELECT * FROM spec WHERE {} = $1", super::id_column(id)), values![id.to_string()]).await
}

/// The spec of jobs that name none.
pub(crate) async fn fallback(conn: &mut impl Queries) -> Result<Option<SpecRow>, StoreError> {
    conn.optional("SELECT * FROM spec WHERE fallback IS NOT NULL AND archived IS NULL".to_owned(), values![]).await
}

/// The specs of these rows, by row.
pub(crate) async fn by_ids(
    conn: &mut impl Queries,
    ids: impl IntoIterator<Item = i64>,
) -> Result<HashMap<i64, Spec>, StoreError> {
    let ids: BTreeSet<i64> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!("SELECT * FROM spec WHERE id IN ({})", placeholders(1, ids.len()));
    let rows: Vec<SpecRow> = conn.all(sql, ids.into_iter().map(Value::from).collect::<Vec<_>>()).await?;
    rows.into_iter().map(|row| Ok((row.id, Spec::try_from(row)?))).collect()
}

/// The spec of this row.
pub(crate) async fn by_id(conn: &mut impl Queries, id: i64) -> Result<SpecRow, StoreError> {
    conn.one("SELECT * FROM spec WHERE id = $1".to_owned(), values![id]).await
}
