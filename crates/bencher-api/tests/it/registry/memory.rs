//! The real program: its memory does not grow with the size of a blob, and a kill in the middle of a push loses nothing.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use bencher_api::{
    clock::Clock,
    config::Config,
    registry::hash::Hasher,
    store::Store,
    token::{Audience, Tokens},
};
use bencher_types::{Secret, oci::digest::Algorithm};
use bytes::Bytes;
use futures::StreamExt as _;
use reqwest::{Method, RequestBuilder};

use super::{Answer, bytes, sha256};

/// A large blob, in bytes.
const SIZE: usize = 512 << 20;
/// What the server may need beside the blob itself: buffers, the database's cache, the allocator's slack.
const GROWTH: u64 = 64 << 20;
const CHUNK: usize = 1 << 20;

/// A server in a process of its own. Killed when it is dropped.
struct Server {
    child: Child,
    url: String,
    token: String,
    client: reqwest::Client,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Server {
    fn start(config: &Config) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bencher-api"))
            .args(["--bind", "127.0.0.1:0"])
            .env("BENCHER_CONFIG", serde_json::to_string(config).unwrap())
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map(|line| line.unwrap())
            .find_map(|line| line.split("address=").nth(1).map(|rest| rest.split(' ').next().unwrap().to_owned()))
            .expect("the server says where it listens");
        // Nobody else reads the log, and a full pipe would stop the server.
        std::thread::spawn(move || lines.for_each(drop));
        let tokens = Tokens::new(&config.security.secret_key, config.issuer());
        let ttl = std::time::Duration::from_secs(600);
        let (token, _) = tokens.issue(Audience::Client, "keeper@example.com", None, Clock::System.now(), ttl);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { child, url: format!("http://{address}"), token: token.expose().to_owned(), client }
    }

    fn oci(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// The most memory that the process has ever had at once, in bytes.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells the peak");
        line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
    }
}

/// A configuration with its own folder, and a user with the project `shop` in its database.
async fn prepare() -> (tempfile::TempDir, Config) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let folder = tempfile::tempdir().unwrap();
    let address = "127.0.0.1:6610".parse().unwrap();
    let config = Config::new(folder.path(), address, Secret::new("a secret key for tests only"));
    let store = Store::open(&config.database().unwrap()).await.unwrap();
    let now = Clock::System.now();
    let (name, email) = ("Keeper".parse().unwrap(), "keeper@example.com".parse().unwrap());
    let user = store.create_user(&name, None, &email, None, now).await.unwrap().unwrap();
    store.own_project(user.id, &"Shop".parse().unwrap(), now).await.unwrap();
    store.close().await;
    (folder, config)
}

#[tokio::test]
async fn memory_does_not_grow_with_the_size_of_a_blob() {
    let (_folder, config) = prepare().await;
    let server = Server::start(&config);
    // Something small first, so that what every push needs is there already.
    let path = format!("/v2/shop/blobs/uploads/?digest={}", sha256(b"small"));
    Answer::of(server.oci(Method::POST, &path).body("small")).await.expect(201);
    let before = server.peak();

    let chunk = bytes(CHUNK, 1);
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for n in 0..SIZE / CHUNK {
        hasher.update(&numbered(&chunk, n));
    }
    let digest = hasher.digest();
    let upload = Answer::of(server.oci(Method::POST, "/v2/shop/blobs/uploads/")).await.expect(202).header("location").to_owned();
    let parts = futures::stream::iter(0..SIZE / CHUNK).map(move |n| Ok::<_, std::io::Error>(numbered(&chunk, n)));
    Answer::of(server.oci(Method::PATCH, &upload).body(reqwest::Body::wrap_stream(parts))).await.expect(202);
    Answer::of(server.oci(Method::PUT, &format!("{upload}?digest={digest}"))).await.expect(201);

    let mut response = server.oci(Method::GET, &format!("/v2/shop/blobs/{digest}")).send().await.unwrap();
    assert_eq!(response.content_length(), Some(SIZE as u64));
    let mut hasher = Hasher::new(Algorithm::Sha256);
    while let Some(part) = response.chunk().await.unwrap() {
        hasher.update(&part);
    }
    assert_eq!(hasher.digest(), digest);
    let growth = server.peak() - before;
    assert!(growth < GROWTH, "the server grew by {} MiB, from {} MiB", growth >> 20, before >> 20);
}

/// A chunk that differs from all others.
fn numbered(chunk: &[u8], n: usize) -> Bytes {
    let mut chunk = chunk.to_vec();
    chunk[..8].copy_from_slice(&(n as u64).to_be_bytes());
    chunk.into()
}

#[tokio::test]
async fn a_push_goes_on_after_the_server_was_killed_in_its_middle() {
    let (folder, config) = prepare().await;
    let content = bytes(8 << 20, 1);
    let server = Server::start(&config);
    let upload = Answer::of(server.oci(Method::POST, "/v2/shop/blobs/uploads/")).await.expect(202).header("location").to_owned();

    // A sender that never gets to the end; the server is killed once some of it is on disk.
    let first = content[..5 << 20].to_vec();
    let parts = futures::stream::iter([Ok::<_, std::io::Error>(first)]).chain(futures::stream::pending());
    let sending = tokio::spawn(server.oci(Method::PATCH, &upload).body(reqwest::Body::wrap_stream(parts)).send());
    let file = folder.path().join("blobs/uploads").join(upload.rsplit('/').next().unwrap());
    let some = async {
        while std::fs::metadata(&file).map_or(0, |found| found.len()) < 2 << 20 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), some).await.expect("bytes are written as they arrive");
    drop(server);
    assert!(sending.await.unwrap().is_err(), "the connection breaks");

    let server = Server::start(&config);
    let answer = Answer::of(server.oci(Method::GET, &upload)).await.expect(204);
    let last: usize = answer.header("range").strip_prefix("0-").unwrap().parse().unwrap();
    assert!(last + 1 >= 2 << 20, "what was on disk is still there");
    let rest = server.oci(Method::PATCH, &upload).header("content-range", format!("{}-{}", last + 1, content.len() - 1));
    Answer::of(rest.body(content[last + 1..].to_vec())).await.expect(202);
    let digest = sha256(&content);
    Answer::of(server.oci(Method::PUT, &format!("{upload}?digest={digest}"))).await.expect(201);
    let answer = Answer::of(server.oci(Method::GET, &format!("/v2/shop/blobs/{digest}"))).await.expect(200);
    assert!(answer.body == content);
}
