//! Rows in bulk, past the server: thousands of runners and up to a million jobs, copied from the first one. Knows as little of the
//! tables as it can: a column that is not named here is copied.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bencher_types::{RunnerKey, Secret};
use sqlx::{
    AssertSqlSafe, PgPool, SqlitePool,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

/// Rows of one statement: SQLite's other writers wait meanwhile.
const AT_ONCE: usize = 50_000;

/// The server's database.
pub(super) enum Rows {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A runner that may connect.
pub(super) struct Registered {
    pub(super) uuid: String,
    pub(super) key: RunnerKey,
}

/// The URL of a new database beside the one that a URL names.
pub(super) async fn new_database(url: &str) -> Result<String> {
    let name = format!("queue_{}", uuid::Uuid::new_v4().simple());
    bencher_api::store::postgres::create_database(&Secret::new(url), &name).await?;
    let mut url: url::Url = url.parse()?;
    url.set_path(&name);
    Ok(url.to_string())
}

/// A number as the last part of a UUID, in SQL that both databases understand.
fn uuid_of(prefix: &str) -> String {
    format!("'{prefix}-0000-4000-8000-' || substr(CAST(1000000000000 + n.i AS TEXT), 2)")
}

impl Rows {
    pub(super) async fn open(postgres: Option<&str>, sqlite: &Path) -> Result<Self> {
        Ok(match postgres {
            Some(url) => Self::Postgres(PgPoolOptions::new().max_connections(1).connect(url).await?),
            None => {
                let options = SqliteConnectOptions::new().filename(sqlite).busy_timeout(std::time::Duration::from_secs(60));
                Self::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?)
            }
        })
    }

    async fn execute(&self, sql: &str) -> Result<u64> {
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Sqlite(pool) => sqlx::query(sql).execute(pool).await?.rows_affected(),
            Self::Postgres(pool) => sqlx::query(sql).execute(pool).await?.rows_affected(),
        })
    }

    async fn count(&self, condition: &str) -> Result<usize> {
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM job WHERE {condition}"));
        let count: i64 = match self {
            Self::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await?,
            Self::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await?,
        };
        Ok(usize::try_from(count)?)
    }

    async fn columns(&self, table: &str) -> Result<Vec<String>> {
        Ok(match self {
            Self::Sqlite(pool) => {
                sqlx::query_scalar(AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')")))
                    .fetch_all(pool)
                    .await?
            }
            Self::Postgres(pool) => {
                let sql = format!("SELECT column_name::text FROM information_schema.columns WHERE table_name = '{table}'");
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await?
            }
        })
    }

    /// The first job is only there to be copied: nobody may claim it.
    pub(super) async fn end_template(&self, job: &str) -> Result<()> {
        let changed = self.execute(&format!("UPDATE job SET status = 6 WHERE uuid = '{job}'")).await?;
        ensure!(changed == 1, "the first job is not there");
        Ok(())
    }

    /// Adds runners of the one spec.
    pub(super) async fn runners(&self, count: usize) -> Result<Vec<Registered>> {
        let runners: Vec<Registered> =
            (0..count).map(|_| Registered { uuid: uuid::Uuid::new_v4().to_string(), key: RunnerKey::generate() }).collect();
        for some in runners.chunks(1000) {
            let rows: Vec<String> = some.iter().map(|one| format!("('{}', '{}')", one.uuid, one.key.hash().as_str())).collect();
            let columns = self.columns("runner").await?;
            let columns: Vec<&str> = columns.iter().map(String::as_str).filter(|column| *column != "id").collect();
            let values: Vec<String> = columns
                .iter()
                .map(|column| match *column {
                    "uuid" | "slug" | "name" => "new.column1".to_owned(),
                    "key_hash" => "new.column2".to_owned(),
                    other => format!("runner.{other}"),
                })
                .collect();
            let sql = format!(
                "INSERT INTO runner ({}) SELECT {} FROM runner CROSS JOIN (VALUES {}) AS new WHERE runner.slug = 'bench'",
                columns.join(", "),
                values.join(", "),
                rows.join(", ")
            );
            self.execute(&sql).await.context("could not add runners")?;
        }
        let sql = "INSERT INTO runner_spec (runner_id, spec_id) SELECT runner.id, spec.id FROM runner CROSS JOIN spec \
                   WHERE spec.slug = 'host' AND runner.id NOT IN (SELECT runner_id FROM runner_spec)";
        self.execute(sql).await?;
        Ok(runners)
    }

    /// Adds jobs of this status, each with its report; `kind` keeps them apart from others.
    pub(super) async fn jobs(&self, kind: &str, count: usize, status: i64) -> Result<()> {
        let (report, job) = if kind == "done" { ("10000000", "11000000") } else { ("20000000", "21000000") };
        for from in (0..count).step_by(AT_ONCE) {
            let until = count.min(from + AT_ONCE);
            let uuid = uuid_of(report);
            self.copy("report", &[("uuid", &uuid), ("idempotency_key", "NULL")], from, until).await?;
            let of_report = format!("(SELECT r.id FROM report AS r WHERE r.uuid = {uuid})");
            let status = status.to_string();
            self.copy("job", &[("uuid", &uuid_of(job)), ("report_id", &of_report), ("status", &status)], from, until).await?;
        }
        Ok(())
    }

    /// Copies the first row of a table, with some columns changed.
    async fn copy(&self, table: &str, changed: &[(&str, &str)], from: usize, until: usize) -> Result<()> {
        let columns = self.columns(table).await?;
        let columns: Vec<&str> = columns.iter().map(String::as_str).filter(|column| *column != "id").collect();
        let values: Vec<String> = columns
            .iter()
            .map(|column| {
                changed
                    .iter()
                    .find(|(name, _)| name == column)
                    .map_or_else(|| format!("t.{column}"), |(_, sql)| (*sql).to_owned())
            })
            .collect();
        let sql = format!(
            "WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {until}) \
             INSERT INTO {table} ({}) SELECT {} FROM {table} AS t CROSS JOIN n WHERE t.id = (SELECT MIN(id) FROM {table})",
            columns.join(", "),
            values.join(", ")
        );
        let added = self.execute(&sql).await.with_context(|| format!("could not fill {table}"))?;
        ensure!(added == u64::try_from(until - from)?, "expected {} rows, added {added}", until - from);
        Ok(())
    }

    /// Delivered, but not in a report yet.
    pub(super) async fn unprocessed(&self) -> Result<usize> {
        self.count("status IN (1, 2, 3)").await
    }

    pub(super) async fn running(&self) -> Result<usize> {
        self.count("status = 2").await
    }
}
