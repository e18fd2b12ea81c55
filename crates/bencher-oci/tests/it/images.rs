//! From a registry or a layout to a root file system.

use std::{fs, path::Path};

use bencher_oci::{Blame, Credentials, Images, PullError, cache::ListedImage, images::ImagesOptions, sink::folder::Ownership};
use bencher_types::Digest;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Layer, chain, have_root, have_tool,
    registry::{Fault, Registry},
    run,
};

fn images(dir: &Path) -> Images {
    Images::open(dir, ImagesOptions::default()).unwrap()
}

fn tars() -> Vec<Vec<u8>> {
    let lower = Layer::new().dir("bin", 0o755).file("bin/bench", vec![7; 300_000]).file("gone", "x").hard_link("b2", "bin/bench");
    let upper = Layer::new().file(".wh.gone", "").symlink("link", "bin/bench").fifo("pipe").dir("locked", 0o000);
    vec![lower.tar(), upper.tar()]
}

async fn image(registry: &Registry) -> Digest {
    let architecture = bencher_oci::Platform::host().architecture;
    registry.add_image("v1", &architecture, &tars())
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

#[tokio::test]
async fn an_image_is_fetched_once_and_then_needs_no_network() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let digest = image(&registry).await;
    let (images, client) = (images(dir.path()), registry.client(Credentials::None));
    let first = images.ensure(&client, "p/r", &digest, &never()).await.unwrap();
    assert_eq!(fs::read(first.rootfs().join("link")).unwrap(), vec![7; 300_000]);
    assert!(!first.rootfs().join("gone").exists());
    let process = first.process();
    assert_eq!((process.entrypoint, process.env), (vec!["/bin/bench".to_owned()], vec!["A=b".to_owned()]));
    assert_eq!((process.working_dir.as_str(), process.user.as_str()), ("/w", "1:2"));
    assert_eq!(images.cache().verify(&digest).unwrap(), Some(true));

    registry.seen();
    let second = images.ensure(&client, "p/r", &digest, &never()).await.unwrap();
    assert_eq!(second.rootfs(), first.rootfs());
    assert_eq!(registry.seen(), []);
}

#[tokio::test]
async fn many_who_want_one_image_get_it_from_one_build() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let digest = image(&registry).await;
    let (images, client) = (images(dir.path()), registry.client(Credentials::None));
    let cancel = never();
    let all = futures::future::join_all((0..6).map(|_| images.ensure(&client, "p/r", &digest, &cancel))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(registry.seen().len(), 4, "manifest, configuration and two layers");
}

#[tokio::test]
async fn a_layer_that_decayed_in_the_store_is_fetched_again() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let digest = image(&registry).await;
    let (images, client) = (images(dir.path()), registry.client(Credentials::None));
    drop(images.ensure(&client, "p/r", &digest, &never()).await.unwrap());
    images.cache().clear().unwrap();
    // One of them is enough: each of several would take a try.
    let path = fs::read_dir(dir.path().join("store/blobs")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let _image = images.ensure(&client, "p/r", &digest, &never()).await.unwrap();
    assert_eq!(images.cache().verify(&digest).unwrap(), Some(true));
}

#[tokio::test]
async fn failures_leave_nothing_and_say_whose_they_are() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let (images, client) = (images(dir.path()), registry.client(Credentials::None));
    let host = bencher_oci::Platform::host().architecture;

    let error = images.ensure(&client, "p/r", &Digest::sha256(b"none"), &never()).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Image, "{}", chain(&error));

    let hostile = registry.add_image("bad", &host, &[Layer::new().file("../x", "").tar()]);
    let error = images.ensure(&client, "p/r", &hostile, &never()).await.unwrap_err();
    assert!(matches!(&error, PullError::Merge { .. }));
    assert!(chain(&error).contains("entry `../x`: the path leaves the image"), "{}", chain(&error));
    assert_eq!(error.blame(), Blame::Image);

    let good = image(&registry).await;
    for _ in 0..20 {
        registry.fault("/blobs/", Fault::Status(503, None));
    }
    let error = images.ensure(&client, "p/r", &good, &never()).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Registry, "{}", chain(&error));

    let listed: Vec<ListedImage> = images.cache().list().unwrap();
    assert!(listed.is_empty());
    assert_eq!(fs::read_dir(dir.path().join("cache/tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_canceled_pull_ends_at_once_and_can_be_repeated() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let digest = image(&registry).await;
    let (images, client) = (images(dir.path()), registry.client(Credentials::None));
    registry.fault("/blobs/", Fault::Hang);
    let cancel = never();
    let (pulled, ()) = tokio::join!(images.ensure(&client, "p/r", &digest, &cancel), async { cancel.cancel() });
    assert!(matches!(pulled, Err(PullError::Canceled)));
    let _image = images.ensure(&client, "p/r", &digest, &never()).await.unwrap();
}

#[tokio::test]
async fn without_roots_rights_the_image_is_the_callers() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let layer = Layer::new().pax(&[("uid", b"77")]).file("a", "1").device("null", 1, 3).dir("locked", 0o000).tar();
    let digest = registry.add_image("v1", &bencher_oci::Platform::host().architecture, &[layer]);
    let options = ImagesOptions { ownership: Ownership::Caller, ..ImagesOptions::default() };
    let images = Images::open(dir.path(), options).unwrap();
    let image = images.ensure(&registry.client(Credentials::None), "p/r", &digest, &never()).await.unwrap();
    assert!(!image.rootfs().join("null").exists());
    assert_eq!(images.cache().verify(&digest).unwrap(), Some(true));
}

#[tokio::test]
async fn a_full_disk_is_told_as_such() {
    if !have_root() || !have_tool("mount") {
        return;
    }
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let digest = image(&registry).await;
    let small = Mount::tmpfs(dir.path(), "size=200k");
    let images = images(small.0);
    let error = images.ensure(&registry.client(Credentials::None), "p/r", &digest, &never()).await.unwrap_err();
    assert!(error.is_disk_full(), "{}", chain(&error));
    assert_eq!(error.blame(), Blame::Host);
    drop(images);
}

/// A small file system, unmounted at the end.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn tmpfs(dir: &'a Path, options: &str) -> Self {
        run(std::process::Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir));
        Self(dir)
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        run(std::process::Command::new("umount").arg(self.0));
    }
}
