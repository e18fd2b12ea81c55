//! `/v2/`: the image registry, over plain HTTP and with the tools that people use.

mod access;
mod blobs;
mod bucket;
mod clients;
mod collect;
mod collect_at_once;
mod foreign;
mod jobs;
mod limits;
mod manifests;
mod memory;
mod model;
mod odd;
mod quota;
mod retention;
mod secrecy;
mod signing;
mod specification;
mod tools;
mod uploads;
mod verify;

use bencher_api::registry::hash::digest_of;
use bencher_types::{Digest, oci::digest::Algorithm};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::{setup::TestUser, support::TestServer};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn sha256(bytes: &[u8]) -> Digest {
    digest_of(Algorithm::Sha256, bytes)
}

/// Bytes that do not repeat in a way that could hide a misplaced chunk.
fn bytes(len: usize, seed: u64) -> Vec<u8> {
    use rand::{RngCore as _, SeedableRng as _};
    let mut bytes = vec![0; len];
    rand::rngs::StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// What an answer says, as far as tests look at it.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    async fn of(request: RequestBuilder) -> Self {
        Self::read(request.send().await.expect("an answer")).await
    }

    async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.expect("a body").to_vec() }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The code of the first error, in the specification's shape.
    fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("docker-distribution-api-version"), "registry/2.0");
        assert!(!self.header("x-request-id").is_empty(), "every answer has a request id");
        self
    }

    #[track_caller]
    fn expect_error(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.code(), code, "{}", String::from_utf8_lossy(&answer.body));
        answer
    }
}

impl TestServer {
    /// A request under `/v2`, or to the location that an earlier answer gave.
    fn oci(&self, method: Method, path: &str, user: &TestUser) -> RequestBuilder {
        let path = if path.starts_with("/v2/") { path.to_owned() } else { format!("/v2/{path}") };
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&user.token)
    }

    /// Begins an upload and returns its path.
    pub(crate) async fn begin_upload(&self, repository: &str, user: &TestUser) -> String {
        let answer = Answer::of(self.oci(Method::POST, &format!("{repository}/blobs/uploads/"), user)).await.expect(202);
        assert_eq!(answer.header("range"), "0-0");
        answer.header("location").to_owned()
    }

    async fn push_blob(&self, repository: &str, user: &TestUser, content: &[u8]) -> Digest {
        let digest = sha256(content);
        let path = format!("{repository}/blobs/uploads/?digest={digest}");
        let answer = Answer::of(self.oci(Method::POST, &path, user).body(content.to_vec())).await.expect(201);
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        digest
    }

    async fn blob(&self, repository: &str, user: &TestUser, digest: &Digest) -> Answer {
        Answer::of(self.oci(Method::GET, &format!("{repository}/blobs/{digest}"), user)).await
    }

    async fn put_manifest(&self, repository: &str, user: &TestUser, reference: &str, manifest: &Value) -> Answer {
        let media_type = manifest["mediaType"].as_str().expect("a media type");
        let request = self.oci(Method::PUT, &format!("{repository}/manifests/{reference}"), user);
        Answer::of(request.header("content-type", media_type).body(manifest.to_string())).await
    }

    /// Pushes a small image and returns its manifest.
    pub(crate) async fn push_image(&self, repository: &str, user: &TestUser, tag: &str, seed: u64) -> (Value, Digest) {
        let (config, layer) = (format!("{{\"seed\":{seed}}}").into_bytes(), bytes(1000, seed));
        for content in [&config, &layer] {
            self.push_blob(repository, user, content).await;
        }
        let manifest = image(&config, &[&layer]);
        let answer = self.put_manifest(repository, user, tag, &manifest).await.expect(201);
        let digest = sha256(manifest.to_string().as_bytes());
        assert_eq!(answer.header("docker-content-digest"), digest.to_string());
        (manifest, digest)
    }

    /// Where the blob store has the copy of a blob that counts.
    pub(crate) async fn blob_key(&self, digest: &Digest) -> object_store::path::Path {
        let content = self.app.store.oci_content(digest).await.expect("a database").expect("a blob");
        bencher_api::registry::blob::key(digest, content.copy)
    }

    /// The files in the folder of uploads.
    fn spooled(&self) -> usize {
        std::fs::read_dir(self.app.config.blob_folder().join("uploads")).expect("the folder of uploads").count()
    }
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": sha256(content), "size": content.len() })
}

fn image(config: &[u8], layers: &[&[u8]]) -> Value {
    let layers: Vec<Value> =
        layers.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": layers,
    })
}

/// A server with a user, who has the public project `shop`.
async fn shop() -> (TestServer, TestUser) {
    let server = TestServer::start().await;
    let user = keeper(&server).await;
    (server, user)
}

/// The user who has the public project `shop`.
async fn keeper(server: &TestServer) -> TestUser {
    // The first user of a server is its admin, who may do everything: not whom to test with.
    server.sign_up("Admin").await;
    let user = server.sign_up("Keeper").await;
    server.project(&user, "shop", "public").await;
    user
}
