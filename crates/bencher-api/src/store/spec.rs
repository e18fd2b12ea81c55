//! Specs in the database.

use bencher_types::{
    Cpu, DateTime, DiskBytes, MemoryBytes, ResourceName, Slug, SpecUuid,
    wire::spec::{Architecture, NewSpec, OperatingSystem, Sandbox, Spec},
};
use serde::{Deserialize, Serialize};

use super::{Count, Direction, Micros, Page, Queries, Store, StoreError, Text, Value, slug};
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

/// Which specs a list shows.
#[derive(Clone, Debug, Default)]
pub struct SpecFilter {
    pub name: Option<ResourceName>,
    pub search: Option<String>,
    /// Archived ones too.
    pub archived: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpecSort {
    #[default]
    Name,
    Created,
}

impl Store {
    /// One page of specs, and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn specs(
        &self,
        filter: &SpecFilter,
        sort: SpecSort,
        direction: Direction,
        page: Page,
    ) -> Result<(Vec<Spec>, u64), StoreError> {
        const WHERE: &str = "($1 IS NULL OR name = $1) \
            AND ($2 IS NULL OR lower(name) LIKE $2 ESCAPE '\\' OR slug LIKE $2 ESCAPE '\\' OR uuid LIKE $2 ESCAPE '\\') \
            AND ($3 = 1 OR archived IS NULL)";
        let order = match sort {
            SpecSort::Name => "name",
            SpecSort::Created => "created",
        };
        let search = filter.search.as_deref().map(super::like_pattern);
        let mut values: Vec<Value> = values![filter.name.as_ref(), search, filter.archived];
        let mut conn = self.read().await?;
        let total: Count = conn.one(format!("SELECT COUNT(*) AS count FROM spec WHERE {WHERE}"), values.clone()).await?;
        values.extend(values![page.limit, page.offset]);
        let sql = format!("SELECT * FROM spec WHERE {WHERE} ORDER BY {order} {}, id LIMIT $4 OFFSET $5", direction.sql());
        let rows: Vec<SpecRow> = conn.all(sql, values).await?;
        Ok((rows.into_iter().map(Spec::try_from).collect::<Result<_, _>>()?, total.get()))
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
