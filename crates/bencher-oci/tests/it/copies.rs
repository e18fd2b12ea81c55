//! Copying images between registries and layouts.

use std::{fs, path::Path};

use bencher_oci::{Copied, Copy, Credentials, Destination, Layout, Origin, Platform, RegistryError, copy};
use bencher_types::Digest;
use serde_json::json;

use crate::support::{
    Layer,
    registry::{Fault, INDEX, MANIFEST, Registry},
};

/// Several hundred kilobytes that compress to about as much.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..400_000).map(|_| next()).collect()
}

fn tar(seed: u64) -> Vec<u8> {
    Layer::new().file("data", noise(seed)).tar()
}

/// An index of two platforms with a layer in common, under the tag `v1`.
fn index(registry: &Registry) -> Digest {
    let entry = |architecture: &str, digest: Digest| {
        let size = registry.content.lock().unwrap().manifests[&digest.to_string()].1.len();
        json!({
            "mediaType": MANIFEST, "digest": digest, "size": size,
            "platform": { "os": "linux", "architecture": architecture },
        })
    };
    let manifests = ["amd64", "arm64"].map(|architecture| {
        let own = Layer::new().file("arch", architecture).tar();
        entry(architecture, registry.add_image(architecture, architecture, &[tar(1), own]))
    });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
    registry.add_manifest("v1", INDEX, index.to_string().as_bytes())
}

fn from(registry: &Registry, reference: &str) -> Origin {
    let client = registry.client(Credentials::None);
    Origin::Registry { client, repository: "p/r".to_owned(), reference: reference.to_owned() }
}

fn into(dir: &Path) -> Destination {
    Destination::Layout { layout: Layout::create(dir).unwrap(), name: Some("v1".to_owned()) }
}

async fn pull(registry: &Registry, dir: &Path, platform: Option<&str>) -> Result<Copied, RegistryError> {
    let mut how = Copy::new(dir.join("spool"));
    how.platform = platform.map(|platform| platform.parse().unwrap());
    copy(&from(registry, "v1"), &into(&dir.join("layout")), &how).await
}

#[tokio::test]
async fn an_index_arrives_whole_with_its_digest_and_goes_on_to_another_registry() {
    let (one, two, dir) = (Registry::start().await, Registry::start().await, tempfile::tempdir().unwrap());
    let digest = index(&one);
    let pulled = pull(&one, dir.path(), None).await.unwrap();
    assert_eq!(pulled.digest, digest);
    assert_eq!(pulled.media_type, INDEX);

    let layout = Layout::open(&dir.path().join("layout")).unwrap();
    for architecture in ["amd64", "arm64"] {
        let platform = Platform::new("linux", architecture);
        let image = layout.resolve(Some("v1"), &platform, &bencher_oci::Limits::default()).unwrap();
        assert_eq!(image.layers.len(), 2);
    }
    let again = pull(&one, dir.path(), None).await.unwrap();
    assert_eq!((again.moved_bytes, again.present_bytes), (0, pulled.moved_bytes));

    let to =
        Destination::Registry { client: two.client(Credentials::None), repository: "p/r".to_owned(), tag: Some("v2".to_owned()) };
    let layout = Origin::Layout { layout, reference: Some("v1".to_owned()) };
    assert_eq!(copy(&layout, &to, &Copy::new(dir.path().join("spool"))).await.unwrap().digest, digest);
    assert_eq!(two.client(Credentials::None).manifest("p/r", "v2").await.unwrap().digest, digest);

    // From registry to registry, without a layout between them; nothing stays on the way.
    let (three, spool) = (Registry::start().await, dir.path().join("spool"));
    let to = Destination::Registry { client: three.client(Credentials::None), repository: "a".to_owned(), tag: None };
    assert_eq!(copy(&from(&two, "v2"), &to, &Copy::new(spool.clone())).await.unwrap().digest, digest);
    assert_eq!(three.content.lock().unwrap().blobs.len(), one.content.lock().unwrap().blobs.len());
    assert!(!spool.exists(), "{spool:?}");
}

#[tokio::test]
async fn one_platform_is_taken_out_of_an_index() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let whole = index(&registry);
    let one = pull(&registry, dir.path(), Some("linux/arm64")).await.unwrap();
    assert_ne!(one.digest, whole);
    let layout = Layout::open(&dir.path().join("layout")).unwrap();
    assert_eq!(layout.find(Some("v1")).unwrap().digest, one.digest);
    assert_eq!(fs::read_dir(dir.path().join("layout/blobs/sha256")).unwrap().count(), 4);

    let error = pull(&registry, dir.path(), Some("linux/riscv64")).await.unwrap_err();
    assert_eq!(error.to_string(), "image is for linux/amd64, linux/arm64, this host is linux/riscv64");
}

#[tokio::test]
async fn an_interrupted_pull_goes_on_from_what_is_there() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let digest = registry.add_image("v1", "amd64", &[tar(1)]);
    let layer = registry.content.lock().unwrap().blobs.iter().find(|(_, blob)| blob.len() > 1000).unwrap().0.clone();
    let path: &'static str = Box::leak(format!("/blobs/{layer}").into_boxed_str());
    registry.fault(path, Fault::CutAfter(200_000));
    for _ in 0..6 {
        registry.fault(path, Fault::Status(503, None));
    }
    assert!(pull(&registry, dir.path(), None).await.unwrap_err().is_transient());
    assert!(Layout::open(&dir.path().join("layout")).unwrap().names().unwrap().is_empty(), "no name points to a part");
    registry.content.lock().unwrap().faults.clear();
    registry.seen();

    assert_eq!(pull(&registry, dir.path(), None).await.unwrap().digest, digest);
    let ranges: Vec<_> = registry.seen().into_iter().filter_map(|seen| seen.range).collect();
    assert_eq!(ranges, ["bytes=200000-"]);
    assert!(!dir.path().join("layout/.unfinished").exists());
}

#[tokio::test]
async fn what_is_wrong_is_one_clear_error_and_leaves_no_name_and_nothing_to_go_on_with() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    registry.add_image("v1", "amd64", &[tar(1)]);
    let layer = registry.content.lock().unwrap().blobs.iter().find(|(_, blob)| blob.len() > 1000).unwrap().0.clone();
    let path: &'static str = Box::leak(format!("/blobs/{layer}").into_boxed_str());
    registry.fault(path, Fault::WrongBytes);
    let error = pull(&registry, dir.path(), None).await.unwrap_err();
    assert!(error.to_string().contains(&format!("the content of {layer} has the digest sha256:")), "{error}");
    assert!(Layout::open(&dir.path().join("layout")).unwrap().names().unwrap().is_empty());
    assert!(!dir.path().join("layout/.unfinished").exists());

    let huge = vec![b' '; 4 * 1024 * 1024 + 1];
    registry.add_manifest("v1", MANIFEST, &huge);
    let error = pull(&registry, dir.path(), None).await.unwrap_err();
    assert_eq!(error.to_string(), "the manifest is 4194305 bytes, but at most 4194304 are accepted");
}

#[tokio::test]
async fn a_damaged_layout_is_found_when_it_is_copied() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    registry.add_image("v1", "amd64", &[tar(1)]);
    pull(&registry, dir.path(), None).await.unwrap();
    let layout = Layout::open(&dir.path().join("layout")).unwrap();
    let origin = Origin::Layout { layout: layout.clone(), reference: None };
    let image = layout.resolve(None, &Platform::new("linux", "amd64"), &bencher_oci::Limits::default()).unwrap();
    let path = layout.blob_path(&image.layers[0].blob.digest);
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let copied = copy(&origin, &into(&dir.path().join("copy")), &Copy::new(dir.path().join("spool"))).await;
    let error = copied.unwrap_err().to_string();
    assert!(error.contains(&format!("of {} has the digest", layout.dir().display())), "{error}");

    // A blob that is in place but not right is fetched again.
    pull(&registry, dir.path(), None).await.unwrap();
    copy(&origin, &into(&dir.path().join("copy")), &Copy::new(dir.path().join("spool"))).await.unwrap();
}

#[tokio::test]
async fn what_a_name_leads_to_no_more_is_swept() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let limits = bencher_oci::Limits::default();
    index(&registry);
    pull(&registry, dir.path(), None).await.unwrap();
    registry.add_image("v1", "amd64", &[tar(1)]);
    pull(&registry, dir.path(), None).await.unwrap();
    let layout = Layout::open(&dir.path().join("layout")).unwrap();
    layout.sweep(&limits).unwrap();
    assert_eq!(fs::read_dir(dir.path().join("layout/blobs/sha256")).unwrap().count(), 3);
    layout.resolve(Some("v1"), &Platform::new("linux", "amd64"), &limits).unwrap();
}

#[tokio::test]
async fn what_refers_to_an_image_comes_along_when_it_is_asked_for() {
    let (one, two, dir) = (Registry::start().await, Registry::start().await, tempfile::tempdir().unwrap());
    let image = one.add_image("v1", "amd64", &[tar(1)]);
    let tag_of = |digest: &Digest, kind: &str| format!("sha256-{}{kind}", digest.hex());
    let signature = one.add_image(&tag_of(&image, ".sig"), "amd64", &[tar(2)]);
    // What refers to what refers to it. This registry has no lists of referrers, so that an index has them.
    let of_signature = one.add_image("by digest", "amd64", &[tar(3)]);
    let entry = json!({ "mediaType": MANIFEST, "digest": of_signature, "size": 1 });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
    let fallback = tag_of(&signature, "");
    one.add_manifest(&fallback, INDEX, index.to_string().as_bytes());

    let to = || {
        let client = two.client(Credentials::None);
        Destination::Registry { client, repository: "p/r".to_owned(), tag: Some("v1".to_owned()) }
    };
    let mut how = Copy::new(dir.path().join("spool"));
    let names = || two.content.lock().unwrap().manifests.keys().cloned().collect::<Vec<_>>();
    let alone = copy(&from(&one, "v1"), &to(), &how).await.unwrap();
    assert!(!names().contains(&tag_of(&image, ".sig")));
    how.referrers = true;
    let copied = copy(&from(&one, "v1"), &to(), &how).await.unwrap();
    assert_eq!((&copied.digest, &alone.digest), (&image, &image));
    assert!(copied.moved_bytes > 2 * 400_000 && copied.present_bytes >= alone.moved_bytes);
    for name in [tag_of(&image, ".sig"), fallback, of_signature.to_string()] {
        assert!(names().contains(&name), "{name} is not in {:?}", names());
    }
}
