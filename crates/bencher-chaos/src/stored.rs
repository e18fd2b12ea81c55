//! What the database holds at the end, read past the server. Every query gives one column of text.

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::site::Site;

/// A connection to the run's database.
pub(crate) enum Stored {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Stored {
    pub(crate) async fn open(site: &Site) -> Result<Self> {
        Ok(match &site.postgres {
            Some(postgres) => Self::Postgres(PgConnection::connect(&postgres.url).await.context("could not open the database")?),
            None => {
                let options = SqliteConnectOptions::new().filename(site.sqlite_file()).read_only(true);
                Self::Sqlite(SqliteConnection::connect_with(&options).await.context("could not open the database")?)
            }
        })
    }

    pub(crate) async fn texts(&mut self, sql: &'static str) -> Result<Vec<String>> {
        let found = match self {
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_all(connection).await,
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_all(connection).await,
        };
        found.with_context(|| format!("could not ask the database `{sql}`"))
    }

    pub(crate) async fn count(&mut self, sql: &'static str) -> Result<usize> {
        let found = self.texts(sql).await?;
        found.first().and_then(|count| count.parse().ok()).with_context(|| format!("`{sql}` gave no number"))
    }
}
