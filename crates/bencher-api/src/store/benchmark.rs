//! Benchmarks.

use std::collections::BTreeMap;

use bencher_types::{
    BenchmarkName, BenchmarkUuid, DateTime, ProjectUuid, Slug,
    wire::dimension::{Benchmark, NewBenchmark, UpdateBenchmark},
};

use super::{
    Among, Micros, Queries, Store, StoreError, Text, Tx, among,
    dimension::{self, Changes, Dimension},
    list,
    project::ProjectRow,
    slug,
};
use crate::values;

/// A row of `benchmark`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BenchmarkRow {
    pub id: i64,
    pub uuid: Text<BenchmarkUuid>,
    pub name: Text<BenchmarkName>,
    pub slug: Text<Slug>,
    pub archived: Option<Micros>,
    pub created: Micros,
    pub modified: Micros,
}

impl Dimension for BenchmarkRow {
    const TABLE: &'static str = "benchmark";
    const KIND: &'static str = "Benchmark";
    const COLUMNS: &'static str = "benchmark.*";
    type Json = Benchmark;

    fn id(&self) -> i64 {
        self.id
    }

    fn archived(&self) -> bool {
        self.archived.is_some()
    }

    async fn json(_: &mut impl Queries, project: ProjectUuid, rows: Vec<Self>) -> Result<Vec<Benchmark>, StoreError> {
        Ok(rows.into_iter().map(|row| row.into_json(project)).collect())
    }
}

impl BenchmarkRow {
    pub(crate) fn into_json(self, project: ProjectUuid) -> Benchmark {
        Benchmark {
            uuid: self.uuid.0,
            project,
            name: self.name.0,
            slug: self.slug.0,
            created: self.created.0,
            modified: self.modified.0,
            archived: self.archived.map(|time| time.0),
        }
    }
}

impl Store {
    /// Creates a benchmark.
    ///
    /// # Errors
    /// The name or slug is taken, or the database failed.
    pub async fn create_benchmark(
        &self,
        project: &ProjectRow,
        new: &NewBenchmark,
        now: DateTime,
    ) -> Result<Benchmark, StoreError> {
        let mut tx = self.begin().await?;
        let names = (new.name.as_str(), new.slug.as_ref());
        let id = dimension::insert::<BenchmarkRow>(&mut tx, project.id, names, None, now).await?;
        let row: BenchmarkRow = dimension::by_id(&mut tx, id).await?;
        tx.commit().await?;
        Ok(row.into_json(project.uuid.0))
    }

    /// Changes what is named, and returns the benchmark as it is then.
    ///
    /// # Errors
    /// The name or slug is taken, or the database failed.
    pub async fn update_benchmark(
        &self,
        project: &ProjectRow,
        id: i64,
        update: &UpdateBenchmark,
        now: DateTime,
    ) -> Result<Benchmark, StoreError> {
        let mut tx = self.begin().await?;
        let changes = Changes {
            name: update.name.as_ref().map(BenchmarkName::as_str),
            slug: update.slug.as_ref(),
            archived: update.archived,
        };
        dimension::update::<BenchmarkRow>(&mut tx, id, &changes, now).await?;
        let row: BenchmarkRow = dimension::by_id(&mut tx, id).await?;
        tx.commit().await?;
        Ok(row.into_json(project.uuid.0))
    }
}

/// The benchmarks that were measured, by name; made or taken out of the archive as needed.
///
/// The caller has locked the project, so that nobody else makes the same ones.
pub(crate) async fn get_or_create(
    tx: &mut Tx,
    project: i64,
    names: &[&BenchmarkName],
    now: DateTime,
) -> Result<BTreeMap<BenchmarkName, BenchmarkRow>, StoreError> {
    let mut rows: BTreeMap<BenchmarkName, BenchmarkRow> = BTreeMap::new();
    let named = among(tx, "name", Among::Texts, 2);
    let sql = format!("SELECT benchmark.* FROM benchmark WHERE project_id = $1 AND {named}");
    for known in tx.all::<BenchmarkRow>(sql, values![project, list(names)]).await? {
        let known = dimension::unarchive(tx, known, now).await?;
        rows.insert(known.name.0.clone(), known);
    }
    let new: Vec<&BenchmarkName> = names.iter().copied().filter(|name| !rows.contains_key(*name)).collect();
    let slugs =
        slug::choose_all(tx, "benchmark", project, new.iter().map(|name| Slug::from_name(name.as_str())).collect()).await?;
    let inserts =
        new.iter().zip(slugs).map(|(name, slug)| values![BenchmarkUuid::random(), project, *name, &slug, now, now]).collect();
    let columns = ["uuid", "project_id", "name", "slug", "created", "modified"];
    for made in tx.insert_returning::<BenchmarkRow>("benchmark", &columns, inserts, "*").await? {
        rows.insert(made.name.0.clone(), made);
    }
    Ok(rows)
}
