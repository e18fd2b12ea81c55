//! The registry is killed in the middle of a push, and its collector in the middle of a collection: what a manifest refers to is there
//! afterwards, and what nothing needs goes. Knows where the registry keeps what, to see when the middle is.

use std::{collections::BTreeSet, path::PathBuf, process::Stdio};

use bencher_types::Digest;
use futures::channel::mpsc;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use crate::support::{PATIENCE, World, binary, child, image::digest, until};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// So many blobs are removed one after the other that a look at the folder falls between the first and the last.
const GARBAGE: usize = 200;
/// Collections that are killed before one may end.
const KILLS: usize = 6;

/// The registry of a world, from outside and from inside.
struct Registry {
    http: reqwest::Client,
    url: String,
    key: String,
    folder: PathBuf,
    config: PathBuf,
    database: SqlitePool,
}

impl Registry {
    async fn of(world: &World) -> Self {
        // The collector takes at once what nothing needs, the server itself only after a day.
        let config = std::fs::read(world.path().join("server.json")).expect("the configuration is there");
        let mut config: Value = serde_json::from_slice(&config).expect("it is JSON");
        config["plus"]["registry"]["garbage_collection"] = json!({ "grace_period": 0 });
        let file = world.path().join("collector.json");
        std::fs::write(&file, config.to_string()).expect("the configuration is written");
        let options = SqliteConnectOptions::new().filename(world.path().join("server/bencher.db")).busy_timeout(PATIENCE);
        Self {
            http: reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client"),
            url: world.url.clone(),
            key: world.key.clone(),
            folder: world.path().join("server/blobs"),
            config: file,
            database: SqlitePoolOptions::new().connect_with(options).await.expect("the database opens"),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path = if path.starts_with("/v2/") { path.to_owned() } else { format!("/v2/{path}") };
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    async fn status(&self, method: Method, path: &str) -> u16 {
        self.request(method, path).send().await.expect("the registry answers").status().as_u16()
    }

    async fn push_blob(&self, repository: &str, content: &[u8]) {
        let path = format!("{repository}/blobs/uploads/?digest={}", digest(content));
        let answer = self.request(Method::POST, &path).body(content.to_vec()).send().await.expect("the registry answers");
        assert_eq!(answer.status(), StatusCode::CREATED, "{:?}", answer.text().await);
    }

    /// Pushes an image of these layers, and returns the digest of its manifest.
    async fn push_image(&self, repository: &str, config: &[u8], layers: &[&[u8]]) -> Digest {
        for content in layers.iter().chain([&config]) {
            self.push_blob(repository, content).await;
        }
        let descriptor = |media_type: &str, content: &[u8]| json!({ "mediaType": media_type, "digest": digest(content), "size": content.len() });
        let layers: Vec<Value> = layers.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer)).collect();
        let config = descriptor("application/vnd.oci.image.config.v1+json", config);
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers }).to_string();
        let put = self.request(Method::PUT, &format!("{repository}/manifests/v1")).header(header::CONTENT_TYPE, MANIFEST);
        let answer = put.body(manifest.clone()).send().await.expect("the registry answers");
        assert_eq!(answer.status(), StatusCode::CREATED, "{:?}", answer.text().await);
        digest(manifest.as_bytes())
    }

    /// All of it must be there to be pulled.
    async fn assert_holds(&self, repository: &str, contents: &[&[u8]]) {
        for content in contents {
            let path = format!("{repository}/blobs/{}", digest(content));
            let answer = self.request(Method::GET, &path).send().await.expect("the registry answers");
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            assert_eq!(answer.bytes().await.expect("a body"), *content, "{path}");
        }
    }

    /// The names of the files under a folder of the registry's.
    fn files(&self, folder: &str) -> BTreeSet<String> {
        let (mut files, mut folders) = (BTreeSet::new(), vec![self.folder.join(folder)]);
        while let Some(folder) = folders.pop() {
            // It may just have gone.
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    _ => drop(files.insert(entry.file_name().to_string_lossy().into_owned())),
                }
            }
        }
        files
    }

    /// The files of a blob: `HEX.UPLOAD`, one for each copy.
    fn copies(&self, content: &[u8]) -> usize {
        let hex = digest(content).hex().to_owned();
        self.files("blobs").into_iter().filter(|name| name.starts_with(&hex)).count()
    }

    async fn sql(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.database).await.expect("the statement is good");
    }

    async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.database).await.expect("the statement is good")
    }

    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = child::owned(&binary("bencher-api"));
        command.arg("--config").arg(&self.config).arg("registry").args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `bencher-api registry …`, which must succeed, and returns what it prints.
    async fn run(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments).output().await.expect("`bencher-api` starts");
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("it prints JSON")
    }

    /// Collects until some file is gone, and is killed then; `false` where the collection was done.
    async fn collect_and_kill(&self) -> bool {
        let before = self.files("blobs").len();
        let mut collection = self.command(&["gc"]).spawn().expect("`bencher-api` starts");
        loop {
            if let Some(status) = collection.try_wait().expect("a child can be waited for") {
                assert!(status.success(), "{:?}", collection.wait_with_output().await);
                return false;
            }
            if self.files("blobs").len() < before {
                collection.kill().await.expect("a child can be killed");
                return true;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_collection_that_is_killed_again_and_again_loses_nothing_and_leaves_nothing() {
    let Some(world) = World::start().await else { return };
    let registry = Registry::of(&world).await;
    let (config, base, layer, old): (&[u8], &[u8], &[u8], &[u8]) = (b"{}", b"the base of both", b"a layer", b"an old layer");
    registry.push_image("shop/kept", config, &[base, layer]).await;
    let gone = registry.push_image("shop/gone", config, &[base, old]).await;
    assert_eq!(registry.status(Method::DELETE, &format!("shop/gone/manifests/{gone}")).await, 202);
    for number in 0..GARBAGE {
        registry.push_blob("shop/gone", format!("garbage {number}").as_bytes()).await;
    }
    assert_eq!(registry.files("blobs").len(), GARBAGE + 4);
    // As if hours had passed since.
    registry.sql("UPDATE oci_repository_blob SET leased_until = 0").await;

    let mut kills = 0;
    while kills < KILLS && registry.collect_and_kill().await {
        kills += 1;
        registry.assert_holds("shop/kept", &[config, base, layer]).await;
        // As if the turn of who was killed had run out.
        registry.sql("UPDATE oci_care SET held_until = 0").await;
    }
    assert!(kills > 0, "no collection was killed in the middle");
    registry.run(&["gc", "--format", "json"]).await;

    let left = registry.run(&["gc", "--dry-run", "--format", "json"]).await;
    assert_eq!(["released", "blobs", "strays"].map(|what| left[what].as_u64()), [Some(0); 3], "{left:#}");
    assert_eq!(registry.number("SELECT COUNT(*) FROM oci_blob").await, 3);
    assert_eq!(registry.number("SELECT COUNT(*) FROM oci_stray").await, 0);
    assert_eq!(registry.files("blobs").len(), 3, "a file is left that nothing needs, or one that is needed is gone");
    registry.assert_holds("shop/kept", &[config, base, layer]).await;
    let verified = registry.run(&["verify", "--format", "json"]).await;
    assert_eq!((verified["blobs"].as_u64(), verified["damaged"].as_array().map(Vec::len)), (Some(3), Some(0)), "{verified:#}");
    assert_eq!(registry.status(Method::HEAD, &format!("shop/gone/blobs/{}", digest(old))).await, 404);
}

#[tokio::test]
async fn a_push_that_is_killed_between_its_bytes_and_its_row_is_pushed_again_and_leaves_nothing() {
    let Some(mut world) = World::start().await else { return };
    let registry = Registry::of(&world).await;
    registry.push_image("shop/kept", b"{}", &[b"a layer"]).await;
    let content = vec![7_u8; 8 << 20];

    let begun = registry.request(Method::POST, "shop/blobs/uploads/").send().await.expect("the registry answers");
    let upload = begun.headers()[header::LOCATION].to_str().expect("a location").to_owned();
    let (sender, body) = mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
    let put = registry.request(Method::PUT, &format!("{upload}?digest={}", digest(&content)));
    let put = tokio::spawn(put.body(reqwest::Body::wrap_stream(body)).send());
    let (most, rest) = content.split_at(content.len() - 1000);
    sender.unbounded_send(Ok(most.to_vec())).expect("the request goes on");
    let id = upload.rsplit('/').next().expect("a location has an id");
    let spooled = registry.folder.join("uploads").join(id);
    until("the upload is on its way", async || std::fs::metadata(&spooled).is_ok_and(|file| file.len() > 0).then_some(())).await;

    // From now on the server can write no row.
    let mut lock = registry.database.begin_with("BEGIN IMMEDIATE").await.expect("the database can be locked");
    sender.unbounded_send(Ok(rest.to_vec())).expect("the request goes on");
    drop(sender);
    until("the bytes are in their place", async || (registry.copies(&content) == 1).then_some(())).await;
    world.kill_server().await;
    assert!(put.await.expect("the request ends").is_err(), "nobody acknowledged the push");
    let rows: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM oci_blob").fetch_one(&mut *lock).await.expect("the rows are counted");
    assert_eq!(rows, 2, "only the image's");
    lock.rollback().await.expect("the lock ends");

    world.restart_server().await;
    let blob = format!("shop/blobs/{}", digest(&content));
    assert_eq!(registry.status(Method::HEAD, &blob).await, 404, "bytes without a row are nobody's");
    assert_eq!(registry.status(Method::GET, &upload).await, 404, "the upload cannot be continued");
    registry.push_blob("shop", &content).await;
    registry.assert_holds("shop", &[&content]).await;
    assert_eq!(registry.copies(&content), 2);

    // The client never comes back to the upload, which is forgotten after a while; then its copy belongs to nothing.
    world.stop_server().await;
    registry.sql("UPDATE oci_upload SET modified = 0").await;
    world.restart_server().await;
    until("the upload is forgotten", async || (registry.number("SELECT COUNT(*) FROM oci_upload").await == 0).then_some(()))
        .await;
    let collected = registry.run(&["gc", "--format", "json"]).await;
    assert_eq!((collected["strays"].as_u64(), collected["blobs"].as_u64()), (Some(1), Some(0)), "{collected:#}");
    assert_eq!(registry.copies(&content), 1);
    registry.assert_holds("shop", &[&content]).await;
    registry.assert_holds("shop/kept", &[b"{}", b"a layer"]).await;
}
