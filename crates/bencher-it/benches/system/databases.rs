//! The databases on which that is measured which depends on one.

use anyhow::{Context as _, Result};

use crate::processes::given;

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) name: &'static str,
    /// Where it is; none for SQLite, which is a file of the server.
    pub(crate) url: Option<String>,
}

/// SQLite and, where the environment names one, PostgreSQL; or only the one with this name in small letters.
pub(crate) fn wanted(only: Option<&str>) -> Result<Vec<Database>> {
    let mut databases = vec![Database { name: "SQLite", url: None }];
    if let Some(url) = given("BENCH_DATABASE_URL") {
        let url = url.into_string().ok().context("BENCH_DATABASE_URL is no text")?;
        databases.push(Database { name: "PostgreSQL", url: Some(url) });
    }
    if let Some(only) = only {
        databases.retain(|database| database.name.to_lowercase() == only);
        anyhow::ensure!(
            !databases.is_empty(),
            "there is no database `{only}` to measure on: expected `sqlite`, or `postgresql` and its URL in BENCH_DATABASE_URL"
        );
    }
    Ok(databases)
}
