//! A database that the first release wrote is brought up to date with what is in it.

use bencher_api::{
    limits,
    store::{DatabaseLocation, Queries as _, Store},
};
use sqlx::Connection as _;

use crate::support::postgres_database;

/// The version of the first migration.
const FIRST: i64 = 1;

/// One metric and everything it is filed under, as the first release stored it.
const STORED: &str = "
    INSERT INTO organization (id, uuid, name, slug, priority, created, modified) VALUES (1, 'o', 'o', 'o', 0, 0, 0);
    INSERT INTO project (id, uuid, organization_id, name, slug, visibility, created, modified) VALUES (1, 'p', 1, 'p', 'p', 'public', 0, 0);
    INSERT INTO branch (id, uuid, project_id, name, slug, head_id, created, modified) VALUES (2, 'b', 1, 'b', 'b', 3, 0, 0);
    INSERT INTO head (id, uuid, branch_id, created) VALUES (3, 'h', 2, 0);
    INSERT INTO version (id, uuid, project_id, number) VALUES (4, 'v', 1, 40);
    INSERT INTO head_version (id, head_id, version_id) VALUES (11, 3, 4);
    INSERT INTO testbed (id, uuid, project_id, name, slug, created, modified) VALUES (5, 't', 1, 't', 't', 0, 0);
    INSERT INTO benchmark (id, uuid, project_id, name, slug, created, modified) VALUES (6, 'b', 1, 'b', 'b', 0, 0);
    INSERT INTO measure (id, uuid, project_id, name, slug, units, created, modified) VALUES (7, 'm', 1, 'm', 'm', 'u', 0, 0);
    INSERT INTO report (id, uuid, project_id, head_id, version_id, testbed_id, adapter, start_time, end_time, created)
        VALUES (8, 'r', 1, 3, 4, 5, 0, 80, 81, 82);
    INSERT INTO report_benchmark (id, uuid, report_id, iteration, benchmark_id) VALUES (9, 'r', 8, 90, 6);
    INSERT INTO metric (id, uuid, report_benchmark_id, measure_id, value) VALUES (10, 'm', 9, 7, 0.5);
";

#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Series {
    head_id: i64,
    testbed_id: i64,
    spec_id: Option<i64>,
    benchmark_id: i64,
    version_number: i64,
    start_time: i64,
    iteration: i64,
    model_id: Option<i64>,
    report_id: i64,
}

#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Number {
    number: i64,
}

async fn check(location: &DatabaseLocation) {
    let store = Store::open(location).await.unwrap();
    let columns = "head_id, testbed_id, spec_id, benchmark_id, version_number, start_time, iteration, model_id, report_id";
    let found: Vec<Series> = store.read().await.unwrap().all(format!("SELECT {columns} FROM metric"), vec![]).await.unwrap();
    let expected = Series {
        head_id: 3,
        testbed_id: 5,
        spec_id: None,
        benchmark_id: 6,
        version_number: 40,
        start_time: 80,
        iteration: 90,
        model_id: None,
        report_id: 8,
    };
    assert_eq!(found, [expected]);
    let numbers: Vec<Number> =
        store.read().await.unwrap().all("SELECT number FROM head_version".to_owned(), vec![]).await.unwrap();
    assert_eq!(numbers, [Number { number: 40 }]);
    store.close().await;
}

#[tokio::test]
async fn what_the_first_release_stored_in_sqlite_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bencher.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::migrate!("migrations/sqlite").run_to(FIRST, &mut connection).await.unwrap();
    sqlx::raw_sql(STORED).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    check(&DatabaseLocation::Sqlite(path)).await;
}

#[tokio::test]
async fn what_the_first_release_stored_in_postgresql_is_brought_up_to_date() {
    let Some(url) = postgres_database().await else { return };
    let mut connection = sqlx::PgConnection::connect(url.expose()).await.unwrap();
    sqlx::migrate!("migrations/postgres").run_to(FIRST, &mut connection).await.unwrap();
    sqlx::raw_sql(STORED).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    check(&DatabaseLocation::Postgres { url, timeout: limits::DEFAULT_DATABASE_TIMEOUT }).await;
}
