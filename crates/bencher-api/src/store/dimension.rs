//! What branches, testbeds, benchmarks and measures have in common: a name, a slug and an archive within one project.

use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
};

use bencher_types::{DateTime, NameId, ProjectUuid, Slug};
use uuid::Uuid;

use super::{
    Among, Id, ListBy, ListQuery, Queries, Row, Store, StoreError, Tx, Value, among, list, placeholders, project::ProjectRow,
    slug,
};
use crate::{limits, values};

/// A row of one of the four tables.
pub trait Dimension: Row {
    const TABLE: &'static str;
    /// What people call one.
    const KIND: &'static str;
    /// What a row is read from: the table, and what is joined to it.
    const FROM: &'static str = Self::TABLE;
    const COLUMNS: &'static str;
    /// What a client sees of one.
    type Json: Send;

    fn id(&self) -> i64;
    fn archived(&self) -> bool;

    /// Rows of one project as clients see them, in the same order.
    fn json(
        conn: &mut impl Queries,
        project: ProjectUuid,
        rows: Vec<Self>,
    ) -> impl Future<Output = Result<Vec<Self::Json>, StoreError>> + Send;
}

/// What a `PATCH` changes in every dimension; `None` leaves as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes<'a> {
    pub name: Option<&'a str>,
    pub slug: Option<&'a Slug>,
    pub archived: Option<bool>,
}

impl Store {
    /// One page of a project's rows, archived ones or the others, and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn dimensions<D: Dimension>(
        &self,
        project: &ProjectRow,
        archived: bool,
        by: &ListBy,
    ) -> Result<(Vec<D::Json>, u64), StoreError> {
        let table = D::TABLE;
        let not = if archived { "NOT" } else { "" };
        let mut conn = self.read().await?;
        let (rows, total) = ListQuery::new(D::COLUMNS, D::FROM)
            .filter(&format!("{table}.project_id = ?"), project.id)
            .when(&format!("{table}.archived IS {not} NULL"))
            .named::<D>(&mut conn, table, by)
            .await?;
        Ok((D::json(&mut conn, project.uuid.0, rows).await?, total))
    }

    /// The project's row of this name, slug or UUID.
    ///
    /// # Errors
    /// The database failed.
    pub async fn dimension<D: Dimension>(&self, project: &ProjectRow, id: &NameId) -> Result<Option<D>, StoreError> {
        find(&mut self.read().await?, project.id, id).await
    }

    /// One row as clients see it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn show_dimension<D: Dimension>(&self, project: &ProjectRow, row: D) -> Result<D::Json, StoreError> {
        show(&mut self.read().await?, project.uuid.0, row).await
    }

    /// Deletes a row that no report is filed under.
    ///
    /// # Errors
    /// A report is, or the database failed.
    pub async fn delete_dimension<D: Dimension>(&self, row: &D) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(format!("DELETE FROM {} WHERE id = $1", D::TABLE), values![row.id()]).await?;
        tx.commit().await
    }
}

/// The project's row of this name, slug or UUID. A name goes before a slug.
pub(crate) async fn find<D: Dimension>(conn: &mut impl Queries, project: i64, id: &NameId) -> Result<Option<D>, StoreError> {
    let table = D::TABLE;
    let matching = match id {
        NameId::Uuid(_) => format!("{table}.uuid = $2"),
        NameId::Slug(_) => format!("({table}.name = $2 OR {table}.slug = $2)"),
        NameId::Name(_) => format!("{table}.name = $2"),
    };
    let sql = format!(
        "SELECT {} FROM {} WHERE {table}.project_id = $1 AND {matching} \
         ORDER BY CASE WHEN {table}.name = $2 THEN 0 ELSE 1 END LIMIT 1",
        D::COLUMNS,
        D::FROM
    );
    conn.optional(sql, values![project, id.to_string()]).await
}

/// The row of this id.
pub(crate) async fn by_id<D: Dimension>(conn: &mut impl Queries, id: i64) -> Result<D, StoreError> {
    conn.one(format!("SELECT {} FROM {} WHERE {}.id = $1", D::COLUMNS, D::FROM, D::TABLE), values![id]).await
}

/// The rows of these ids, by id.
pub(crate) async fn by_ids<D: Dimension>(
    conn: &mut impl Queries,
    ids: impl IntoIterator<Item = i64>,
) -> Result<HashMap<i64, D>, StoreError> {
    let ids: BTreeSet<i64> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let of_ids = among(conn, &format!("{}.id", D::TABLE), Among::Integers, 1);
    let sql = format!("SELECT {} FROM {} WHERE {of_ids}", D::COLUMNS, D::FROM);
    let found: Vec<D> = conn.all(sql, vec![list(ids)]).await?;
    Ok(found.into_iter().map(|row| (row.id(), row)).collect())
}

/// One row as clients see it.
pub(crate) async fn show<D: Dimension>(conn: &mut impl Queries, project: ProjectUuid, row: D) -> Result<D::Json, StoreError> {
    D::json(conn, project, vec![row]).await?.into_iter().next().ok_or(StoreError::corrupt("project.id"))
}

/// What a new row has beside the common columns.
pub(crate) type Extra = (&'static str, Value);

/// Inserts a row and returns its id.
pub(crate) async fn insert<D: Dimension>(
    tx: &mut Tx,
    project: i64,
    (name, slug): (&str, Option<&Slug>),
    extra: Option<Extra>,
    now: DateTime,
) -> Result<i64, StoreError> {
    let slug = slug::choose(tx, slug::Scope::InProject { table: D::TABLE, project_id: project }, slug, name).await?;
    let mut columns = "uuid, project_id, name, slug, created, modified".to_owned();
    let mut placeholders = "$1, $2, $3, $4, $5, $5".to_owned();
    let mut values = values![Uuid::new_v4().to_string(), project, name, &slug, now];
    if let Some((column, value)) = extra {
        columns.push_str(&format!(", {column}"));
        placeholders.push_str(", $6");
        values.push(value);
    }
    let Id { id } = tx.one(format!("INSERT INTO {} ({columns}) VALUES ({placeholders}) RETURNING id", D::TABLE), values).await?;
    Ok(id)
}

/// Changes what is common.
pub(crate) async fn update<D: Dimension>(tx: &mut Tx, id: i64, changes: &Changes<'_>, now: DateTime) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE {} SET name = COALESCE($2, name), slug = COALESCE($3, slug), modified = $5, \
         archived = CASE WHEN $4 = 1 THEN COALESCE(archived, $5) WHEN $4 = 0 THEN NULL ELSE archived END WHERE id = $1",
        D::TABLE
    );
    tx.execute(sql, values![id, changes.name, changes.slug, changes.archived, now]).await?;
    Ok(())
}

/// Takes a row out of the archive, because something new is filed under it; the row as it is then.
pub(crate) async fn unarchive<D: Dimension>(tx: &mut Tx, row: D, now: DateTime) -> Result<D, StoreError> {
    if !row.archived() {
        return Ok(row);
    }
    update::<D>(tx, row.id(), &Changes { archived: Some(false), ..Changes::default() }, now).await?;
    by_id(tx, row.id()).await
}

/// The project's rows of these UUIDs, by UUID.
pub(crate) async fn by_uuids<D: Dimension, U>(
    conn: &mut impl Queries,
    project: i64,
    uuids: &[U],
    uuid_of: impl Fn(&D) -> U + Send,
) -> Result<HashMap<U, D>, StoreError>
where
    U: Copy + Eq + std::hash::Hash + Into<Value> + Send + Sync,
{
    let mut rows = HashMap::with_capacity(uuids.len());
    for chunk in uuids.chunks(limits::MAX_STATEMENT_VALUES) {
        let sql = format!(
            "SELECT {} FROM {} WHERE {}.project_id = $1 AND {}.uuid IN ({})",
            D::COLUMNS,
            D::FROM,
            D::TABLE,
            D::TABLE,
            placeholders(2, chunk.len())
        );
        let mut values = values![project];
        values.extend(chunk.iter().copied().map(Into::into));
        let found: Vec<D> = conn.all(sql, values).await?;
        rows.extend(found.into_iter().map(|row| (uuid_of(&row), row)));
    }
    Ok(rows)
}
