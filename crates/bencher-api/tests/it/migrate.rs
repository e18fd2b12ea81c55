//! Moving an installation to another database and blob store, and back.

use std::path::Path;

use bencher_api::{
    config::{Config, DataStore},
    migrate::{self, MigrateError, Moved},
    queue::{self, Delivered, Terminal},
    store::Queries as _,
};
use bencher_types::{JobStatus, RunnerKey, wire::channel::IterationOutput};
use object_store::ObjectStoreExt as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    bucket::Bucket,
    setup::TestUser,
    support::{Backend, TestServer, postgres_database},
};

/// An installation with something of most kinds, and its admin.
struct Content {
    ada: TestUser,
    runner: RunnerKey,
    report: Value,
    done: Value,
    layer: Value,
}

fn run(more: Value) -> Value {
    let mut run = json!({
        "project": "shop", "results": [json!({ "sort": { "latency": { "value": 1.25, "lower_value": 1 } } }).to_string()],
        "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z",
    });
    run.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    run
}

async fn fill(server: &TestServer) -> Content {
    let ada = server.sign_up("Ada").await;
    server.project(&ada, "Shop", "public").await;
    server.spec(&ada, "Small", true).await;
    let runner = server.create("/v0/runners", &ada, json!({ "name": "box" })).await;
    server.create("/v0/runners/box/specs", &ada, json!({ "spec": "small" })).await;
    let runner: RunnerKey = runner["key"].as_str().unwrap().parse().unwrap();
    let report = server.create("/v0/run", &ada, run(json!({}))).await;
    let (manifest, digest) = server.push_image("shop", &ada, "v1", 3).await;
    // Part of an upload, which stays behind.
    server.begin_upload("shop", &ada).await;

    let job = json!({ "results": [], "job": { "image": format!("shop@{digest}"), "env": { "TOKEN": "hunter2" } } });
    let done = server.create("/v0/run", &ada, run(job.clone())).await["job"].clone();
    let row = server.app.store.runner_by_key(&runner.hash()).await.unwrap().unwrap();
    let (held, _) = queue::claim(&server.app, &row).await.unwrap().unwrap();
    let printed = IterationOutput { stdout: Some("what it printed".to_owned()), ..IterationOutput::default() };
    let terminal = Terminal::Failed(Delivered::from(vec![printed]), "no".to_owned(), None);
    queue::finish(&server.app, &row, held.job, terminal).await.unwrap();
    server.create("/v0/run", &ada, run(job)).await;
    Content { ada, runner, report, done, layer: manifest["layers"][0]["digest"].clone() }
}

/// Everything is there, and goes on.
async fn holds(server: &TestServer, content: &Content) {
    let Content { ada, runner, report, done, layer } = content;
    let path = format!("/v0/projects/shop/reports/{}", report["uuid"].as_str().unwrap());
    assert_eq!(&server.get(&path, ada).await.1, report);
    let job = server.get(&format!("/v0/projects/shop/jobs/{}", done.as_str().unwrap()), ada).await.1;
    assert_eq!(job["output"]["results"][0]["stdout"], "what it printed", "{job}");
    let url = format!("{}/v2/shop/blobs/{}", server.url, layer.as_str().unwrap());
    let pulled = server.client.get(url).bearer_auth(&ada.token).send().await.unwrap();
    assert_eq!(pulled.status(), StatusCode::OK);
    assert_eq!(json!(bencher_types::Digest::sha256(&pulled.bytes().await.unwrap())), *layer);
    // The environment can still be opened, and new rows get new numbers.
    let row = server.app.store.runner_by_key(&runner.hash()).await.unwrap().unwrap();
    let (held, claimed) = queue::claim(&server.app, &row).await.unwrap().unwrap();
    assert_eq!(claimed.config.env.unwrap()["TOKEN"], "hunter2");
    assert!(server.app.store.release_job(held.job, held.attempt, server.app.clock.now()).await.unwrap());
    assert_eq!(server.app.store.job_of_runner(0, Some(held.job)).await.unwrap().unwrap().status().unwrap(), JobStatus::Pending);
    server.create("/v0/run", ada, run(json!({}))).await;
}

/// A configuration for another installation of the same people.
fn config_like(server: &TestServer, folder: &Path) -> Config {
    let mut config = server.app.config.clone();
    config.database.file = Some(folder.join("bencher.db"));
    config.database.url = None;
    let registry = config.plus.get_or_insert_default().registry.get_or_insert_default();
    (registry.folder, registry.data_store) = (Some(folder.join("blobs")), None);
    config
}

async fn server_on(config: &Config) -> TestServer {
    let config = config.clone();
    let started = TestServer::start_with(Backend::Sqlite, |new| {
        let bind_address = new.server.bind_address;
        *new = config;
        new.server.bind_address = bind_address;
    });
    started.await.unwrap()
}

async fn migrate(from: &Config, to: &Config) -> Result<Moved, MigrateError> {
    migrate::migrate(from, to, &mut |_| {}).await
}

#[track_caller]
fn refused(moved: Result<Moved, MigrateError>, part: &str) {
    let error = anyhow::Error::from(moved.expect_err("it must not move"));
    let text = format!("{error:#}");
    assert!(text.contains(part), "expected `{part}` in: {text}");
}

#[tokio::test]
async fn an_installation_moves_to_postgres_and_a_bucket_and_back() {
    let Some(bucket) = Bucket::start().await else { return };
    let Some(url) = postgres_database().await else { return };
    let server = TestServer::start().await;
    let content = fill(&server).await;
    let folders = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut there = config_like(&server, folders.0.path());
    (there.database.file, there.database.url) = (None, Some(url));
    bucket.keep_blobs(&mut there);

    let first = migrate(&server.app.config, &there).await.unwrap();
    // Two blobs of an image and the output of a job.
    assert_eq!((first.blobs, first.found), (3, 0), "{first:?}");
    let moved = server_on(&there).await;
    holds(&moved, &content).await;
    // The folder in the bucket has everything, and the one beside the database only uploads.
    assert!(!folders.0.path().join("blobs/blobs").exists());

    let back = config_like(&server, folders.1.path());
    refused(migrate(&there, &back).await, "stop the servers");
    moved.app.store.close().await;
    let second = migrate(&there, &back).await.unwrap();
    assert_eq!((second.blobs, second.tables), (3, first.tables));
    assert!(second.rows > first.rows, "what was stored meanwhile comes along");
    holds(&server_on(&back).await, &content).await;
}

#[tokio::test]
async fn a_move_that_fails_leaves_no_row_behind_and_can_be_started_again() {
    let server = TestServer::start().await;
    let content = fill(&server).await;
    let folder = tempfile::tempdir().unwrap();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let mut there = config_like(&server, &folder.path().join(format!("{backend:?}")));
        if backend == Backend::Postgres {
            let Some(url) = postgres_database().await else { continue };
            (there.database.file, there.database.url) = (None, Some(url));
        }
        // Nothing but SQLite would take it.
        let damage = |value: &'static str| {
            let store = server.app.store.clone();
            async move {
                let mut tx = store.begin().await.unwrap();
                tx.execute(format!("UPDATE users SET modified = {value}"), vec![]).await.unwrap();
                tx.commit().await.unwrap();
            }
        };
        damage("'yesterday'").await;
        refused(migrate(&server.app.config, &there).await, "a row of users has a text in the column modified");
        damage("1").await;
        let moved = migrate(&server.app.config, &there).await.unwrap();
        assert_eq!((moved.blobs, moved.found), (3, 3), "the blobs were there already");
        holds(&server_on(&there).await, &content).await;
    }
}

#[tokio::test]
async fn a_damaged_blob_is_named_and_one_that_is_damaged_at_the_target_is_replaced() {
    let server = TestServer::start().await;
    let content = fill(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let there = config_like(&server, folder.path());
    let key = server.blob_key(&content.layer.as_str().unwrap().parse().unwrap()).await;
    let good = server.app.blobs.get(&key).await.unwrap().bytes().await.unwrap();
    let bad: Vec<u8> = good.iter().map(|byte| !byte).collect();
    server.app.blobs.put(&key, bad.clone().into()).await.unwrap();
    refused(migrate(&server.app.config, &there).await, &format!("{key} is damaged"));
    server.app.blobs.put(&key, good.into()).await.unwrap();
    let arrived = folder.path().join("blobs").join(key.as_ref());
    std::fs::create_dir_all(arrived.parent().unwrap()).unwrap();
    std::fs::write(&arrived, bad).unwrap();
    migrate(&server.app.config, &there).await.unwrap();
    holds(&server_on(&there).await, &content).await;
}

#[tokio::test]
async fn a_move_that_would_mix_or_lose_something_is_refused() {
    let server = TestServer::start().await;
    fill(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let from = server.app.config.clone();
    refused(migrate(&from, &from).await, "same database");

    let mut other = config_like(&server, folder.path());
    other.security.secret_key = bencher_types::Secret::new("another");
    refused(migrate(&from, &other).await, "security.secret_key");

    let missing = config_like(&server, &folder.path().join("nothing"));
    refused(migrate(&missing, &config_like(&server, folder.path())).await, "there is no database");
    assert!(!folder.path().join("nothing").exists(), "looking for it makes none");

    let used = TestServer::start().await;
    used.sign_up("Eve").await;
    let mut target = used.app.config.clone();
    target.security.secret_key = from.security.secret_key.clone();
    refused(migrate(&from, &target).await, "is not empty");

    let lock = bencher_api::app::claim_database(&from).unwrap();
    refused(migrate(&from, &config_like(&server, folder.path())).await, "a server may be at work on the source");
    drop(lock);
    let mut nowhere = config_like(&server, folder.path());
    let bucket = bencher_api::config::S3 {
        access_key_id: "GK".to_owned(),
        secret_access_key: bencher_types::Secret::new("x"),
        access_point: "bench".to_owned(),
        chunk_size: None,
        region: None,
        endpoint: Some("http://127.0.0.1:9".parse().unwrap()),
    };
    nowhere.plus.get_or_insert_default().registry.get_or_insert_default().data_store = Some(DataStore::AwsS3(bucket));
    refused(migrate(&from, &nowhere).await, "could not copy the blobs");
}
