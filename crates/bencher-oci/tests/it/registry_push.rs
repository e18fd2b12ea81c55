//! Pushing a layout.

use bencher_oci::{Credentials, Layout, Platform, RegistryError};
use bencher_types::{Digest, Secret};

use crate::support::registry::{Fault, Login, Registry};

/// A layout with one image of two layers, named `v1`.
fn layout(dir: &tempfile::TempDir) -> (Layout, Digest) {
    let layout = Layout::create(dir.path()).unwrap();
    let mut layers = Vec::new();
    for content in [vec![1; 1_000_000], vec![2; 500_000]] {
        let blob = layout.write_document("application/vnd.oci.image.layer.v1.tar", &content).unwrap();
        layers.push(serde_json::json!({ "mediaType": blob.media_type, "digest": blob.digest, "size": blob.size }));
    }
    let config = layout.write_document("application/vnd.oci.image.config.v1+json", b"{}").unwrap();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": crate::support::registry::MANIFEST,
        "config": { "mediaType": config.media_type, "digest": config.digest, "size": config.size },
        "layers": layers,
    });
    let manifest = layout.write_document(crate::support::registry::MANIFEST, manifest.to_string().as_bytes()).unwrap();
    layout.tag(&manifest, &Platform::host(), "v1").unwrap();
    (layout, manifest.digest)
}

#[tokio::test]
async fn a_layout_arrives_and_a_second_push_sends_nothing() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let (layout, digest) = layout(&dir);
    let client = registry.client(Credentials::None);
    let pushed = client.push_layout(&layout, None, "p/r", "latest").await.unwrap();
    assert_eq!((&pushed.digest, pushed.sent_bytes, pushed.present_bytes), (&digest, 1_500_002, 0));
    assert_eq!(client.manifest("p/r", "latest").await.unwrap().digest, digest);
    let again = client.push_layout(&layout, Some("v1"), "p/r", "again").await.unwrap();
    assert_eq!((again.sent_bytes, again.present_bytes), (0, 1_500_002));
}

#[tokio::test]
async fn a_push_survives_a_busy_registry() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let (layout, digest) = layout(&dir);
    registry.fault("/uploads/", Fault::Status(503, None));
    registry.fault("/uploads/session-1", Fault::Status(500, None));
    registry.fault("/manifests/", Fault::Status(429, Some(0)));
    let pushed = registry.client(Credentials::None).push_layout(&layout, None, "p/r", "latest").await.unwrap();
    assert_eq!(pushed.digest, digest);
}

#[tokio::test]
async fn a_push_asks_for_a_token_to_push() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let (layout, _) = layout(&dir);
    registry.login(Login::Token(Some(("ada", "secret"))));
    let credentials = Credentials::Basic { user: "ada".to_owned(), password: Secret::new("secret") };
    registry.client(credentials).push_layout(&layout, None, "p/r", "latest").await.unwrap();
    let asked: Vec<_> = registry.seen().into_iter().filter(|seen| seen.path == "/token").map(|seen| seen.query).collect();
    assert!(asked.iter().all(|query| query.ends_with("scope=repository%3Ap%2Fr%3Apull%2Cpush")), "{asked:?}");
}

#[tokio::test]
async fn a_damaged_layout_is_not_taken() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let (layout, _) = layout(&dir);
    let path = layout.blob_path(&Digest::sha256(&vec![2; 500_000]));
    std::fs::write(&path, vec![3; 500_000]).unwrap();
    let error = registry.client(Credentials::None).push_layout(&layout, None, "p/r", "latest").await.unwrap_err();
    assert!(error.to_string().contains("400 Bad Request: DIGEST_INVALID"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = registry.client(Credentials::None).push_layout(&layout, None, "p/r", "latest").await.unwrap_err();
    assert!(matches!(error, RegistryError::Io(_)), "{error}");
}
