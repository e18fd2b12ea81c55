//! Backups that take the database's place again, and backups in a bucket.

use std::path::PathBuf;

use bencher_api::{
    config::{Config, DataStore},
    restore::{self, Backup, Restored},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    bucket::Bucket,
    rows::at,
    setup::TestUser,
    support::{Backend, TestServer},
};

const BACKUP: &str = "/v0/server/backup";

fn run() -> Value {
    json!({
        "project": "shop", "results": [json!({ "sort": { "latency": { "value": 1 } } }).to_string()],
        "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z",
    })
}

/// An admin with the project `shop`, a run and an image.
async fn shop(server: &TestServer) -> TestUser {
    let ada = server.sign_up("Ada").await;
    server.project(&ada, "Shop", "public").await;
    server.create("/v0/run", &ada, run()).await;
    server.push_image("shop", &ada, "v1", 1).await;
    ada
}

async fn restore(config: &Config, backup: Backup) -> Result<Restored, String> {
    restore::restore(config, &backup, at(1)).await.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
}

async fn reports(server: &TestServer) -> u64 {
    server.list("/v0/projects/shop/reports", None, "uuid").await.1
}

/// The files beside the database of a configuration, without those of blobs.
fn files(config: &Config) -> Vec<String> {
    let folder = config.database.file.as_ref().unwrap().parent().unwrap();
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| name != "blobs").collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_takes_the_place_of_the_database_which_is_kept() {
    for compress in [false, true] {
        let server = TestServer::start().await;
        let ada = shop(&server).await;
        let made = server.create(BACKUP, &ada, json!({ "compress": compress })).await;
        let backup = PathBuf::from(made["file"].as_str().unwrap());
        server.create("/v0/run", &ada, run()).await;
        server.app.store.close().await;

        let config = server.app.config.clone();
        let restored = restore(&config, Backup::File(backup.clone())).await.unwrap();
        let database = config.database.file.clone().unwrap();
        let before = restored.before.clone().unwrap();
        assert_eq!((&restored.database, restored.blobs, restored.missing), (&database, 2, 0));
        let server = server.restart().await;
        assert_eq!(reports(&server).await, 1);
        server.create("/v0/run", &ada, run()).await;
        server.app.store.close().await;

        // What was there can be had again.
        assert!(before.to_string_lossy().ends_with("bencher.db.before-19700101T000001000Z"), "{}", before.display());
        restore::restore(&config, &Backup::File(before.clone()), at(2)).await.unwrap();
        let server = server.restart().await;
        assert_eq!(reports(&server).await, 2);
        server.app.store.close().await;
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let mut expected = vec!["bencher.db".to_owned(), "bencher.db.lock".to_owned(), name(&backup), name(&before)];
        expected.push("bencher.db.before-19700101T000002000Z".to_owned());
        expected.sort();
        assert_eq!(files(&config), expected);
    }
}

#[tokio::test]
async fn what_is_no_sound_backup_changes_nothing() {
    let server = TestServer::start().await;
    let ada = shop(&server).await;
    let made = server.create(BACKUP, &ada, json!({})).await;
    let backup = PathBuf::from(made["file"].as_str().unwrap());
    let config = server.app.config.clone();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let whole = std::fs::read(&backup).unwrap();
    std::fs::write(path("text"), "not a database, however long it is").unwrap();
    std::fs::write(path("half"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(path("empty"), "").unwrap();
    std::fs::write(path("half.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    server.app.store.close().await;
    let before = files(&config);
    for name in ["text", "half", "empty", "half.gz", "missing"] {
        let refused = restore(&config, Backup::File(path(name))).await;
        assert!(refused.is_err(), "{name}: {refused:?}");
    }
    let lock = bencher_api::app::claim_database(&config).unwrap();
    let refused = restore(&config, Backup::File(backup)).await.unwrap_err();
    assert!(refused.contains("a server may be at work"), "{refused}");
    drop(lock);
    assert!(restore(&config, Backup::InBucket("x".to_owned())).await.unwrap_err().contains("database.data_store"));
    let after: Vec<String> = files(&config).into_iter().filter(|name| !name.ends_with(".lock")).collect();
    assert_eq!(after, before, "nothing is left behind");
    assert_eq!(reports(&server.restart().await).await, 1);
}

#[tokio::test]
async fn blobs_that_are_gone_are_counted() {
    let server = TestServer::start().await;
    let ada = shop(&server).await;
    let made = server.create(BACKUP, &ada, json!({})).await;
    let (config, backup) = (server.app.config.clone(), PathBuf::from(made["file"].as_str().unwrap()));
    server.app.store.close().await;
    std::fs::remove_dir_all(config.blob_folder().join("blobs")).unwrap();
    let restored = restore(&config, Backup::File(backup)).await.unwrap();
    assert_eq!((restored.blobs, restored.missing), (2, 2));
}

#[tokio::test]
async fn a_backup_goes_to_a_bucket_and_comes_back_from_it() {
    let Some(bucket) = Bucket::start().await else { return };
    let server = TestServer::start_with(Backend::Sqlite, |config| {
        config.database.data_store = Some(DataStore::AwsS3(bucket.s3("bench/backups")));
    });
    let server = server.await.unwrap();
    let ada = shop(&server).await;
    let both = server.create(BACKUP, &ada, json!({ "data_store": "aws_s3", "compress": true })).await;
    let name = both["object"].as_str().unwrap().to_owned();
    assert!(PathBuf::from(both["file"].as_str().unwrap()).ends_with(&name));
    let only = server.create(BACKUP, &ada, json!({ "data_store": "aws_s3", "remove": true })).await;
    assert!(only["file"].is_null() && only["object"].as_str().unwrap().ends_with(".db"), "{only}");
    assert_eq!(files(&server.app.config).iter().filter(|file| file.contains("backup")).count(), 1);

    let (status, shown) = server.get("/v0/server/config", &ada).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&shown["database"]["data_store"]["service"], &shown["database"]["data_store"]["secret_access_key"]),
        (&json!("aws_s3"), &json!("************"))
    );

    server.create("/v0/run", &ada, run()).await;
    server.app.store.close().await;
    for name in [name, only["object"].as_str().unwrap().to_owned()] {
        restore::restore(&server.app.config, &Backup::InBucket(name), server.app.clock.now()).await.unwrap();
    }
    let server = server.restart().await;
    assert_eq!(reports(&server).await, 1);
    server.app.store.close().await;
    let missing = restore(&server.app.config, Backup::InBucket("nothing.db".to_owned())).await.unwrap_err();
    assert!(missing.contains("could not fetch nothing.db"), "{missing}");
}
