//! Backups of the database, and the configuration as an admin sees it.

use std::{
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use bencher_api::store::{DatabaseLocation, Queries as _, Store};
use futures::StreamExt as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    setup::{TestUser, refused},
    support::{Backend, TestServer, on_each_database},
};

const BACKUP: &str = "/v0/server/backup";

fn run() -> Value {
    json!({
        "project": "shop", "results": [json!({ "sort": { "latency": { "value": 1 } } }).to_string()],
        "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z",
    })
}

/// An admin with the project `shop`.
async fn shop(server: &TestServer) -> TestUser {
    let ada = server.sign_up("Ada").await;
    server.project(&ada, "Shop", "public").await;
    ada
}

async fn back_up(server: &TestServer, admin: &TestUser, body: Value) -> PathBuf {
    let made = server.create(BACKUP, admin, body).await;
    assert!(made["created"].is_string(), "{made}");
    PathBuf::from(made["file"].as_str().unwrap())
}

/// The files beside the database that a backup has to do with.
fn backups(server: &TestServer) -> Vec<String> {
    let folder = server.app.config.database.file.as_ref().unwrap().parent().unwrap().to_owned();
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("backup")).collect()
}

async fn reports_in(file: &Path) -> usize {
    #[derive(sqlx::FromRow)]
    struct Count {
        count: i64,
    }

    let store = Store::open(&DatabaseLocation::Sqlite(file.to_owned())).await.unwrap();
    let found: Count = store.read().await.unwrap().one("SELECT COUNT(*) AS count FROM metric", vec![]).await.unwrap();
    store.close().await;
    usize::try_from(found.count).unwrap()
}

#[tokio::test]
async fn a_server_starts_on_a_backup_and_has_everything() {
    let server = TestServer::start().await;
    let ada = shop(&server).await;
    let report = server.create("/v0/run", &ada, run()).await;
    let restored = tempfile::tempdir().unwrap();
    for compress in [false, true] {
        let file = back_up(&server, &ada, json!({ "compress": compress })).await;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(file.extension().unwrap() == "gz", compress);
        let mut content = Vec::new();
        match compress {
            true => flate2::read::GzDecoder::new(std::fs::File::open(&file).unwrap()).read_to_end(&mut content).unwrap(),
            false => std::fs::File::open(&file).unwrap().read_to_end(&mut content).unwrap(),
        };
        let database = restored.path().join(format!("{compress}.db"));
        std::fs::write(&database, content).unwrap();
        let console = server.app.config.console.url.clone();
        let other = TestServer::start_with(Backend::Sqlite, |config| {
            config.database.file = Some(database);
            // Tokens name who issued them.
            config.console.url = console;
        });
        let other = other.await.unwrap();
        let path = format!("/v0/projects/shop/reports/{}", report["uuid"].as_str().unwrap());
        assert_eq!(other.get(&path, &ada).await, (StatusCode::OK, report.clone()));
        other.create("/v0/run", &ada, run()).await;
    }
    let found = backups(&server);
    assert_eq!(found.len(), 2, "nothing else is left behind: {found:?}");
}

#[tokio::test]
async fn writes_during_a_backup_are_neither_lost_nor_refused() {
    let server = TestServer::start().await;
    let ada = shop(&server).await;
    let stored = AtomicUsize::new(0);
    // A few at a time: where the disk is slow, the last of many would wait for the database longer than any request may.
    let writers = futures::stream::iter(0..40).for_each_concurrent(4, async |_| {
        server.create("/v0/run", &ada, run()).await;
        stored.fetch_add(1, Ordering::SeqCst);
    });
    let backups = async {
        let mut made = Vec::new();
        for _ in 0..4 {
            let before = stored.load(Ordering::SeqCst);
            made.push((before, back_up(&server, &ada, json!({})).await));
        }
        made
    };
    let (_, made) = futures::join!(writers, backups);
    for (before, file) in made {
        let found = reports_in(&file).await;
        assert!((before..=40).contains(&found), "{before} were stored, {found} are in the copy");
    }
    assert_eq!(server.list("/v0/projects/shop/reports", None, "uuid").await.1, 40);
}

#[tokio::test]
async fn a_backup_that_cannot_be_as_wanted_is_refused() {
    let server = TestServer::start().await;
    let ada = shop(&server).await;
    let bob = server.sign_up("Bob").await;
    refused(server.post(BACKUP, &bob, json!({})).await, 403, "admin");
    refused(server.send(Method::POST, BACKUP, None, Some(json!({}))).await, 400, "log-in");
    refused(server.post(BACKUP, &ada, json!({ "data_store": "aws_s3" })).await, 400, "leave `data_store` out");
    refused(server.post(BACKUP, &ada, json!({ "remove": true })).await, 400, "no backup");
    assert_eq!(backups(&server), Vec::<String>::new());
}

#[tokio::test]
async fn postgres_is_backed_up_by_its_own_tool() {
    let Some(server) = TestServer::start_on(Backend::Postgres).await else { return };
    let ada = shop(&server).await;
    refused(server.post(BACKUP, &ada, json!({})).await, 409, "run `pg_dump --format=custom --file=bencher.dump 'postgres");
}

#[tokio::test]
async fn an_admin_sees_the_whole_configuration_without_a_secret() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let path = "/v0/server/config";
        refused(server.get(path, &bob).await, 403, "admin");
        let (status, config) = server.get(path, &ada).await;
        assert_eq!(status, StatusCode::OK);
        let exposed = [Some(&server.app.config.security.secret_key), server.app.config.database.url.as_ref()];
        for secret in exposed.into_iter().flatten() {
            assert!(!config.to_string().contains(secret.expose()));
        }
        assert_eq!(config["security"]["secret_key"], "************");
        assert_eq!(config["server"]["bind_address"], server.url.strip_prefix("http://").unwrap());
        assert_eq!(config["logging"]["log"]["stderr_terminal"]["level"], "info");
        assert!(config["logging"]["name"].is_string() && config["database"]["file"].is_string());
        assert_eq!(config["plus"]["runners"]["heartbeat_timeout"], 90);
        assert_eq!(config["plus"]["registry"]["data_store"]["service"], "local");
        assert_eq!(server.get("/v0/server/config/console", &bob).await.1, config["console"]);
    })
    .await;
}
