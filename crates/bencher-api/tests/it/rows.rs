//! Rows that a test starts from, written straight into the database: what it takes for a job to be there.

use bencher_api::{
    store::{Queries as _, Store},
    values,
};
use bencher_types::{DateTime, JobUuid, RunnerKey, RunnerUuid};

/// A point in time, in seconds.
pub(crate) fn at(secs: i64) -> DateTime {
    DateTime::from_micros(secs * 1_000_000).expect("in range")
}

/// A runner and its key.
pub(crate) struct Runner {
    pub(crate) id: i64,
    pub(crate) uuid: RunnerUuid,
    pub(crate) key: RunnerKey,
}

#[derive(sqlx::FromRow)]
struct Id {
    id: i64,
}

pub(crate) async fn insert(
    store: &Store,
    sql: impl Into<std::borrow::Cow<'static, str>> + Send,
    values: Vec<bencher_api::store::Value>,
) -> i64 {
    let mut tx = store.begin().await.expect("a transaction");
    let row: Id = tx.one(sql, values).await.expect("an inserted row");
    tx.commit().await.expect("a commit");
    row.id
}

fn unique() -> String {
    uuid::Uuid::new_v4().to_string()
}

pub(crate) async fn spec(store: &Store) -> i64 {
    let sql = "INSERT INTO spec (uuid, name, slug, os, architecture, cpu, memory, disk, network, created, modified) \
               VALUES ($1, 'spec', $1, 'linux', 'x86_64', 1, 1, 1, 0, 0, 0) RETURNING id";
    insert(store, sql, values![unique()]).await
}

pub(crate) async fn runner(store: &Store, spec: i64) -> Runner {
    let (uuid, key) = (RunnerUuid::random(), RunnerKey::generate());
    let sql = "INSERT INTO runner (uuid, name, slug, key_hash, state, created, modified) \
               VALUES ($1, 'runner', $1, $2, 'offline', 0, 0) RETURNING id";
    let id = insert(store, sql, values![uuid, &key.hash()]).await;
    insert(store, "INSERT INTO runner_spec (runner_id, spec_id) VALUES ($1, $2) RETURNING runner_id AS id", values![id, spec])
        .await;
    Runner { id, uuid, key }
}

/// A project.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Project {
    pub(crate) id: i64,
}

/// An organization of the lowest tier that somebody has claimed.
pub(crate) async fn organization(store: &Store) -> i64 {
    insert(
        store,
        "INSERT INTO organization (uuid, name, slug, priority, claimed, created, modified) VALUES ($1, 'o', $1, 100, 0, 0, 0) \
         RETURNING id",
        values![unique()],
    )
    .await
}

/// A project of an organization.
pub(crate) async fn project_of(store: &Store, organization: i64) -> Project {
    let id = insert(
        store,
        "INSERT INTO project (uuid, organization_id, name, slug, visibility, created, modified) \
         VALUES ($1, $2, 'p', $1, 'public', 0, 0) RETURNING id",
        values![unique(), organization],
    )
    .await;
    Project { id }
}

/// A pending job of a project of its own.
pub(crate) async fn job(store: &Store, spec: i64, priority: i64, created: DateTime) -> JobUuid {
    let organization = organization(store).await;
    let project = project_of(store, organization).await;
    job_of(store, project, spec, priority, created).await
}

/// A pending job of a project.
pub(crate) async fn job_of(store: &Store, project: Project, spec: i64, priority: i64, created: DateTime) -> JobUuid {
    let project = project.id;
    let of_project = |table: &str| {
        format!(
            "INSERT INTO {table} (uuid, project_id, name, slug, created, modified) VALUES ($1, $2, $1, $1, 0, 0) RETURNING id"
        )
    };
    let branch = insert(store, of_project("branch"), values![unique(), project]).await;
    let testbed = insert(store, of_project("testbed"), values![unique(), project]).await;
    let head =
        insert(store, "INSERT INTO head (uuid, branch_id, created) VALUES ($1, $2, 0) RETURNING id", values![unique(), branch])
            .await;
    let version = insert(
        store,
        "INSERT INTO version (uuid, project_id, number) VALUES ($1, $2, 0) RETURNING id",
        values![unique(), project],
    )
    .await;
    let report = insert(
        store,
        "INSERT INTO report (uuid, project_id, head_id, version_id, testbed_id, adapter, start_time, end_time, created) \
         VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0) RETURNING id",
        values![unique(), project, head, version, testbed],
    )
    .await;
    let uuid = JobUuid::random();
    let config = serde_json::json!({
        "registry": "http://localhost:6610/", "project": unique(), "digest": format!("sha256:{}", "a".repeat(64)), "timeout": 60,
    });
    insert(
        store,
        "INSERT INTO job (uuid, project_id, report_id, spec_id, status, priority, config, settings, attempt, created, modified, queued) \
         VALUES ($1, $2, $3, $4, 0, $5, $6, '{}', 0, $7, $7, $7) RETURNING id",
        values![uuid, project, report, spec, priority, config.to_string(), created],
    )
    .await;
    uuid
}

/// A job whose runner is to tell what it prints.
pub(crate) async fn make_live(store: &Store, job: JobUuid) {
    let sql =
        "UPDATE job SET config = REPLACE(config, '\"timeout\":60', '\"timeout\":60,\"live\":true') WHERE uuid = $1 RETURNING id";
    insert(store, sql, values![job]).await;
}

/// The slug of a job's project.
pub(crate) async fn slug_of_project(store: &Store, job: JobUuid) -> String {
    #[derive(sqlx::FromRow)]
    struct Project {
        slug: String,
    }

    let sql = "SELECT project.slug FROM project JOIN job ON job.project_id = project.id WHERE job.uuid = $1";
    let found: Project = store.read().await.expect("a connection").one(sql, values![job]).await.expect("the job's project");
    found.slug
}
