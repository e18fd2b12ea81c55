//! Pulling from a registry that behaves, and from one that does not.

use std::sync::{Arc, Mutex};

use bencher_oci::{
    Blame, BlobRef, BlobStore, Credentials, Limits, Platform, Progress, ProgressEvent, RegistryError, StoreLimits,
    store::FinishError,
};
use bencher_types::{Digest, Secret};

use crate::support::{
    Layer, chain,
    registry::{Fault, INDEX, Login, MANIFEST, Registry},
};

fn amd64() -> Platform {
    Platform::new("linux", "amd64")
}

fn store(dir: &tempfile::TempDir) -> BlobStore {
    BlobStore::open(dir.path(), StoreLimits { bytes: 1 << 30 }).unwrap()
}

fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn blob(bytes: &[u8]) -> BlobRef {
    BlobRef { digest: Digest::sha256(bytes), size: bytes.len() as u64, media_type: String::new() }
}

/// Fetches a blob of which the registry makes trouble, and says what ranges were asked for.
async fn fetch_with(faults: &[Fault]) -> (Result<u64, RegistryError>, Vec<Option<String>>) {
    let registry = Registry::start().await;
    let bytes = content();
    registry.add_blob(&bytes);
    for fault in faults {
        registry.fault("/blobs/", *fault);
    }
    let dir = tempfile::tempdir().unwrap();
    let client = registry.client(Credentials::None);
    let fetched = client.fetch_blob(&store(&dir), "p/r", &blob(&bytes)).await;
    (fetched.map(|blob| blob.size()), registry.seen().into_iter().map(|seen| seen.range).collect())
}

#[tokio::test]
async fn a_blob_is_fetched_once() {
    let registry = Registry::start().await;
    let bytes = content();
    registry.add_blob(&bytes);
    let dir = tempfile::tempdir().unwrap();
    let (store, client, blob) = (store(&dir), registry.client(Credentials::None), blob(&bytes));
    let fetches = (0..8).map(|_| client.fetch_blob(&store, "p/r", &blob));
    for fetched in futures::future::join_all(fetches).await {
        assert_eq!(fetched.unwrap().digest(), &blob.digest);
    }
    assert_eq!(registry.seen().len(), 1);
}

#[tokio::test]
async fn a_cut_connection_is_resumed_where_it_ended() {
    let (fetched, ranges) = fetch_with(&[Fault::CutAfter(500_000), Fault::CutAfter(300_000)]).await;
    assert_eq!(fetched.unwrap(), 1_200_000);
    assert_eq!(ranges[0], None);
    // How much arrived before the end is the network's business; that something did is not.
    assert!(ranges[1..].iter().flatten().all(|range| range.starts_with("bytes=")), "{ranges:?}");
    assert!(ranges.len() >= 3, "{ranges:?}");
}

#[tokio::test]
async fn a_registry_that_ignores_ranges_sends_everything_again() {
    let (fetched, _) = fetch_with(&[Fault::CutAfter(500_000), Fault::IgnoreRange]).await;
    assert_eq!(fetched.unwrap(), 1_200_000);
}

#[tokio::test]
async fn many_cuts_with_progress_are_no_reason_to_give_up() {
    let (fetched, _) = fetch_with(&[Fault::CutAfter(100_000); 10]).await;
    assert_eq!(fetched.unwrap(), 1_200_000);
}

#[tokio::test]
async fn a_busy_registry_is_asked_again() {
    for fault in [Fault::Status(429, Some(0)), Fault::Status(503, None), Fault::Status(500, None), Fault::Hang] {
        let (fetched, ranges) = fetch_with(&[fault]).await;
        assert_eq!(fetched.unwrap(), 1_200_000);
        assert_eq!(ranges.len(), 2);
    }
}

#[tokio::test]
async fn attempts_end() {
    let (fetched, ranges) = fetch_with(&[Fault::Status(503, None); 50]).await;
    assert!(matches!(fetched, Err(RegistryError::Status { .. })));
    assert_eq!(ranges.len(), 6);
    let (fetched, ranges) = fetch_with(&[Fault::Status(429, Some(3600))]).await;
    assert!(fetched.unwrap_err().to_string().contains("429 Too Many Requests: TOOMANYREQUESTS not now"));
    assert_eq!(ranges.len(), 1);
}

#[tokio::test]
async fn a_refusal_is_final() {
    let (fetched, ranges) = fetch_with(&[Fault::Status(400, None)]).await;
    assert!(matches!(fetched, Err(RegistryError::Status { .. })));
    assert_eq!(ranges.len(), 1);
}

#[tokio::test]
async fn wrong_content_is_refused_and_not_kept() {
    let (fetched, ranges) = fetch_with(&[Fault::WrongBytes]).await;
    let error = fetched.unwrap_err();
    assert!(matches!(error, RegistryError::Blob(FinishError::Digest { .. })));
    assert_eq!(error.blame(), Blame::Image);
    assert_eq!(ranges.len(), 1);
}

#[tokio::test]
async fn a_wrong_beginning_is_fetched_again_from_the_start() {
    let registry = Registry::start().await;
    let bytes = content();
    registry.add_blob(&bytes);
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir);
    store.begin(&blob(&bytes)).unwrap().write(&[0xee; 1000]).unwrap();
    registry.client(Credentials::None).fetch_blob(&store, "p/r", &blob(&bytes)).await.unwrap();
    let ranges: Vec<_> = registry.seen().into_iter().map(|seen| seen.range).collect();
    assert_eq!(ranges, [Some("bytes=1000-".to_owned()), None]);
}

#[tokio::test]
async fn more_bytes_than_promised_are_refused() {
    let registry = Registry::start().await;
    let bytes = content();
    registry.add_blob(&bytes);
    let dir = tempfile::tempdir().unwrap();
    let short = BlobRef { size: 1000, ..blob(&bytes) };
    let fetched = registry.client(Credentials::None).fetch_blob(&store(&dir), "p/r", &short).await;
    assert!(matches!(fetched, Err(RegistryError::Blob(FinishError::Size { expected: 1000, .. }))));
}

#[tokio::test]
async fn an_image_is_resolved_through_an_index() {
    let registry = Registry::start().await;
    let tar = Layer::new().file("a", "1").tar();
    let wanted = registry.add_image("amd", "amd64", std::slice::from_ref(&tar));
    let other = registry.add_image("arm", "arm64", &[tar]);
    let entry = |digest: &Digest, architecture: &str| {
        serde_json::json!({
            "mediaType": MANIFEST, "digest": digest, "size": 1,
            "platform": { "os": "linux", "architecture": architecture },
        })
    };
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry(&other, "arm64"), entry(&wanted, "amd64")],
    });
    registry.add_manifest("v1", INDEX, index.to_string().as_bytes());
    let client = registry.client(Credentials::None);
    assert_eq!(client.resolve("p/r", "v1", &amd64()).await.unwrap().digest, wanted);
    let error = client.resolve("p/r", "v1", &Platform::new("linux", "riscv64")).await.unwrap_err();
    assert_eq!(error.to_string(), "image is for linux/amd64, linux/arm64, this host is linux/riscv64");
    let error = client.resolve("p/r", "arm", &amd64()).await.unwrap_err();
    assert_eq!(error.to_string(), "image is for linux/arm64, this host is linux/amd64");
    assert_eq!(error.blame(), Blame::Image);
}

#[tokio::test]
async fn an_unknown_image_is_told_by_name() {
    let registry = Registry::start().await;
    let error = registry.client(Credentials::None).manifest("p/r", "v9").await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no image `p/r` with the tag or digest `v9`"), "{text}");
    assert!(text.contains("no such manifest"), "{text}");
}

#[tokio::test]
async fn a_manifest_that_is_not_what_its_digest_says_is_refused() {
    let registry = Registry::start().await;
    let digest = Digest::sha256(b"something else");
    registry.add_manifest(&digest.to_string(), MANIFEST, b"{}");
    let error = registry.client(Credentials::None).manifest("p/r", &digest.to_string()).await.unwrap_err();
    assert!(matches!(error, RegistryError::ManifestDigest { .. }));
}

#[tokio::test]
async fn a_manifest_beyond_the_bound_is_not_read() {
    let registry = Registry::start().await;
    registry.add_manifest("v1", MANIFEST, &[b' '; 2000]);
    let client = registry.client(Credentials::None).limits(Limits { manifest_bytes: 1000, ..Limits::default() });
    let error = client.manifest("p/r", "v1").await.unwrap_err();
    assert_eq!(error.to_string(), "the manifest is 2000 bytes, but at most 1000 are accepted");
}

/// Fetches a manifest with a login; counts the requests.
async fn manifest_with(login: Login, credentials: Credentials) -> (Result<(), String>, Vec<String>) {
    let registry = Registry::start().await;
    registry.add_manifest("v1", MANIFEST, b"{}");
    registry.login(login);
    let client = registry.client(credentials);
    let first = client.manifest("p/r", "v1").await.map(|_| ()).map_err(|error| chain(&error));
    if first.is_ok() {
        client.manifest("p/r", "v1").await.unwrap();
    }
    (first, registry.seen().into_iter().map(|seen| format!("{} {}", seen.path, seen.query)).collect())
}

fn basic(password: &str) -> Credentials {
    Credentials::Basic { user: "ada".to_owned(), password: Secret::new(password) }
}

#[tokio::test]
async fn a_challenge_is_answered_once_and_the_token_kept() {
    let (fetched, seen) = manifest_with(Login::Token(Some(("ada", "secret"))), basic("secret")).await;
    fetched.unwrap();
    let token = "/token service=reg&scope=repository%3Ap%2Fr%3Apull";
    let manifest = "/v2/p/r/manifests/v1 ";
    assert_eq!(seen, [manifest, token, manifest, manifest]);
}

#[tokio::test]
async fn public_content_needs_no_password() {
    manifest_with(Login::Token(None), Credentials::None).await.0.unwrap();
}

#[tokio::test]
async fn a_registry_may_want_the_password_itself() {
    manifest_with(Login::Basic("ada", "secret"), basic("secret")).await.0.unwrap();
}

#[tokio::test]
async fn a_given_token_is_sent_as_it_is() {
    let (fetched, seen) = manifest_with(Login::Bearer("job"), Credentials::Bearer(Secret::new("job"))).await;
    fetched.unwrap();
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn wrong_credentials_are_told_and_not_tried_again() {
    for (login, credentials) in [
        (Login::Token(Some(("ada", "secret"))), basic("wrong")),
        (Login::Basic("ada", "secret"), basic("wrong")),
        (Login::Bearer("job"), Credentials::Bearer(Secret::new("old"))),
        (Login::Basic("ada", "secret"), Credentials::None),
    ] {
        let (fetched, seen) = manifest_with(login, credentials).await;
        let error = fetched.unwrap_err();
        assert!(error.contains("does not accept the credentials (401 Unauthorized)"), "{error}");
        assert!(!error.contains("wrong") && !error.contains("old"), "{error}");
        assert!(seen.len() <= 2, "{seen:?}");
    }
}

#[derive(Default)]
struct Recorder(Mutex<Vec<(u64, u64)>>);

impl Progress for Recorder {
    fn on(&self, event: ProgressEvent<'_>) {
        if let ProgressEvent::Downloading { done, total, .. } = event {
            self.0.lock().unwrap().push((done, total));
        }
    }
}

#[tokio::test]
async fn an_observer_sees_every_byte() {
    let registry = Registry::start().await;
    let bytes = content();
    registry.add_blob(&bytes);
    let dir = tempfile::tempdir().unwrap();
    let recorder = Arc::new(Recorder::default());
    let client = registry.client(Credentials::None).progress(Arc::clone(&recorder) as Arc<dyn Progress>);
    client.fetch_blob(&store(&dir), "p/r", &blob(&bytes)).await.unwrap();
    let events = recorder.0.lock().unwrap();
    assert_eq!(events.last(), Some(&(1_200_000, 1_200_000)));
    assert!(events.windows(2).all(|pair| pair[0].0 < pair[1].0));
}
