//! Pushing a layout.

use std::path::Path;

use bencher_oci::{Copied, Copy, Credentials, Destination, Layout, Origin, Platform, RegistryClient, RegistryError, copy};
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

/// Pushes the layout's image as `p/r:TAG`.
async fn push(client: RegistryClient, layout: &Layout, name: Option<&str>, tag: &str) -> Result<Copied, RegistryError> {
    let from = Origin::Layout { layout: layout.clone(), reference: name.map(str::to_owned) };
    let to = Destination::Registry { client, repository: "p/r".to_owned(), tag: Some(tag.to_owned()) };
    copy(&from, &to, &Copy::new(Path::new("not needed").to_owned())).await
}

#[tokio::test]
async fn a_layout_arrives_and_a_second_push_sends_nothing() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let (layout, digest) = layout(&dir);
    let client = registry.client(Credentials::None);
    let pushed = push(client.clone(), &layout, None, "latest").await.unwrap();
    assert_eq!((&pushed.digest, pushed.moved_bytes, pushed.present_bytes), (&digest, 1_500_002, 0));
    assert_eq!(client.manifest("p/r", "latest").await.unwrap().digest, digest);
    let again = push(client, &layout, Some("v1"), "again").await.unwrap();
    assert_eq!((again.moved_bytes, again.present_bytes), (0, 1_500_002));
}

#[tokio::test]
async fn a_push_survives_a_busy_registry() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let (layout, digest) = layout(&dir);
    registry.fault("/uploads/", Fault::Status(503, None));
    registry.fault("/uploads/session-1", Fault::Status(500, None));
    registry.fault("/manifests/", Fault::Status(429, Some(0)));
    let pushed = push(registry.client(Credentials::None), &layout, None, "latest").await.unwrap();
    assert_eq!(pushed.digest, digest);
}

#[tokio::test]
async fn a_push_asks_for_a_token_to_push() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let (layout, _) = layout(&dir);
    registry.login(Login::Token(Some(("ada", "secret"))));
    let credentials = Credentials::Basic { user: "ada".to_owned(), password: Secret::new("secret") };
    push(registry.client(credentials), &layout, None, "latest").await.unwrap();
    let asked: Vec<_> = registry.seen().into_iter().filter(|seen| seen.path == "/token").map(|seen| seen.query).collect();
    assert!(asked.iter().all(|query| query.ends_with("scope=repository%3Ap%2Fr%3Apull%2Cpush")), "{asked:?}");
}

#[tokio::test]
async fn a_damaged_layout_is_not_taken() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let (layout, _) = layout(&dir);
    let path = layout.blob_path(&Digest::sha256(&vec![2; 500_000]));
    std::fs::write(&path, vec![3; 500_000]).unwrap();
    let error = push(registry.client(Credentials::None), &layout, None, "latest").await.unwrap_err();
    assert!(matches!(&error, RegistryError::DamagedFile { path: damaged, .. } if *damaged == path), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = push(registry.client(Credentials::None), &layout, None, "latest").await.unwrap_err();
    assert!(matches!(error, RegistryError::Io(_)), "{error}");
}

/// A layout with one blob that is large enough to be sent so that it can go on.
fn large(dir: &tempfile::TempDir) -> (Layout, bencher_oci::BlobRef) {
    let layout = Layout::create(dir.path()).unwrap();
    let content: Vec<u8> = (0..10_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let blob = layout.write_document("application/vnd.oci.image.layer.v1.tar", &content).unwrap();
    (layout, blob)
}

/// What was asked of uploads, by method.
fn asked(registry: &Registry) -> Vec<String> {
    registry.seen().into_iter().filter(|seen| seen.path.contains("/uploads/")).map(|seen| seen.method).collect()
}

#[tokio::test]
async fn an_interrupted_upload_goes_on_where_it_ended() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let (layout, blob) = large(&dir);
    registry.fault("/uploads/session-1", Fault::TakeOnly(4_000_000));
    let client = registry.client(Credentials::None);
    assert!(client.push_blob("p/r", &blob, &layout.blob_path(&blob.digest)).await.unwrap());
    assert_eq!(asked(&registry), ["POST", "PATCH", "GET", "PATCH", "PUT"]);
    assert!(registry.content.lock().unwrap().blobs.contains_key(&blob.digest.to_string()));
}

/// A push that ended in the middle, and was remembered in `memory`.
async fn interrupt(registry: &Registry, (layout, blob): (&Layout, &bencher_oci::BlobRef), memory: &Path) {
    registry.fault("/uploads/session-1", Fault::TakeOnly(4_000_000));
    for _ in 0..5 {
        registry.fault("/uploads/session-1", Fault::Status(503, None));
    }
    let client = registry.client(Credentials::None).remember_uploads(memory).unwrap();
    client.push_blob("p/r", blob, &layout.blob_path(&blob.digest)).await.unwrap_err();
    registry.content.lock().unwrap().faults.clear();
    registry.seen();
}

#[tokio::test]
async fn a_later_process_continues_an_upload_that_was_remembered() {
    let (registry, dir, memory) = (Registry::start().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (layout, blob) = large(&dir);
    interrupt(&registry, (&layout, &blob), memory.path()).await;
    let client = registry.client(Credentials::None).remember_uploads(memory.path()).unwrap();
    assert!(client.push_blob("p/r", &blob, &layout.blob_path(&blob.digest)).await.unwrap());
    assert_eq!(asked(&registry), ["GET", "PATCH", "PUT"]);
    assert_eq!(std::fs::read_dir(memory.path()).unwrap().count(), 0, "what is done is forgotten");
}

#[tokio::test]
async fn an_upload_that_the_registry_forgot_or_that_holds_something_else_begins_anew() {
    for (spoil, expected) in
        [(false, &["GET", "POST", "PATCH", "PUT"][..]), (true, &["GET", "PATCH", "PUT", "POST", "PATCH", "PUT"])]
    {
        let (registry, dir, memory) = (Registry::start().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (layout, blob) = large(&dir);
        interrupt(&registry, (&layout, &blob), memory.path()).await;
        {
            let mut content = registry.content.lock().unwrap();
            let mut upload = content.uploads.remove("session-1").unwrap();
            upload[0] ^= 1;
            if spoil {
                content.uploads.insert("session-1".to_owned(), upload);
            }
        }
        let client = registry.client(Credentials::None).remember_uploads(memory.path()).unwrap();
        assert!(client.push_blob("p/r", &blob, &layout.blob_path(&blob.digest)).await.unwrap());
        assert_eq!(asked(&registry), expected);
    }
}

#[tokio::test]
async fn a_blob_of_another_repository_of_the_registry_is_taken_over_and_not_sent() {
    let registry = Registry::start().await;
    let tag = registry.add_image("v1", "amd64", &[b"one".to_vec(), b"two".to_vec()]);
    let digests: Vec<String> = registry.content.lock().unwrap().blobs.keys().cloned().collect();
    let spool = tempfile::tempdir().unwrap();
    {
        // As another repository sees it: none of the blobs, until they are mounted.
        let mut content = registry.content.lock().unwrap();
        content.elsewhere = digests;
    }
    let client = registry.client(Credentials::None);
    let from = Origin::Registry { client: client.clone(), repository: "p/r".to_owned(), reference: "v1".to_owned() };
    registry.content.lock().unwrap().blobs.clear();
    let to = Destination::Registry { client, repository: "p/other".to_owned(), tag: Some("v1".to_owned()) };
    let copied = copy(&from, &to, &Copy::new(spool.path().to_owned())).await.unwrap();
    assert_eq!((copied.digest, copied.moved_bytes), (tag, 0));
    let seen = registry.seen();
    assert!(
        !seen.iter().any(|seen| matches!(seen.method.as_str(), "PATCH" | "GET") && seen.path.contains("/blobs/")),
        "{seen:?}"
    );
}

#[tokio::test]
async fn all_pages_of_tags_are_listed() {
    let registry = Registry::start().await;
    let tags: Vec<String> = (0..5).map(|n| format!("v{n}")).collect();
    registry.content.lock().unwrap().tags.clone_from(&tags);
    assert_eq!(registry.client(Credentials::None).tags("p/r").await.unwrap(), tags);
}
