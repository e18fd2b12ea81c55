//! From a registry or a layout to a root file system.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use bencher_oci::{
    Blame, CacheLimits, Credentials, DiskSize, ImageCache, ImageKey, Images, PullError,
    cache::{Acquired, ListedImage},
    images::ImagesOptions,
};
use bencher_types::Digest;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Layer, chain, have_root, have_tool,
    mounted::Mounted,
    registry::{Fault, Registry},
};

const FITTED: DiskSize = DiskSize::Fitted;

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

fn fitted(digest: &Digest) -> ImageKey {
    ImageKey::new(digest.clone(), FITTED)
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

#[tokio::test]
async fn an_image_is_fetched_once_and_then_needs_no_network() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let digest = image(&registry).await;
    let (images, client) = (images(dir.path()), registry.client(Credentials::None));
    let first = images.ensure(&client, "p/r", &digest, FITTED, &never()).await.unwrap();
    if have_root() {
        let mounted = Mounted::image(&first.rootfs());
        assert_eq!(fs::read(mounted.root().join("bin/bench")).unwrap(), vec![7; 300_000]);
        assert!(!mounted.root().join("gone").exists());
    }
    let process = first.process();
    assert_eq!((process.entrypoint, process.env), (vec!["/bin/bench".to_owned()], vec!["A=b".to_owned()]));
    assert_eq!((process.working_dir.as_str(), process.user.as_str()), ("/w", "1:2"));
    assert_eq!(images.cache().verify(&fitted(&digest)).unwrap(), Some(true));

    registry.seen();
    let second = images.ensure(&client, "p/r", &digest, FITTED, &never()).await.unwrap();
    assert_eq!(second.rootfs(), first.rootfs());
    assert_eq!(registry.seen(), []);
}

#[tokio::test]
async fn many_who_want_one_image_get_it_from_one_build() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let digest = image(&registry).await;
    let (images, client) = (images(dir.path()), registry.client(Credentials::None));
    let cancel = never();
    let all = futures::future::join_all((0..6).map(|_| images.ensure(&client, "p/r", &digest, FITTED, &cancel))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(registry.seen().len(), 4, "manifest, configuration and two layers");
}

#[tokio::test]
async fn a_layer_that_decayed_in_the_store_is_fetched_again() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let digest = image(&registry).await;
    let (images, client) = (images(dir.path()), registry.client(Credentials::None));
    drop(images.ensure(&client, "p/r", &digest, FITTED, &never()).await.unwrap());
    images.cache().clear().unwrap();
    // One of them is enough: each of several would take a try.
    let path = fs::read_dir(dir.path().join("store/blobs")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let _image = images.ensure(&client, "p/r", &digest, FITTED, &never()).await.unwrap();
    assert_eq!(images.cache().verify(&fitted(&digest)).unwrap(), Some(true));
}

#[tokio::test]
async fn failures_leave_nothing_and_say_whose_they_are() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let (images, client) = (images(dir.path()), registry.client(Credentials::None));
    let host = bencher_oci::Platform::host().architecture;

    let error = images.ensure(&client, "p/r", &Digest::sha256(b"none"), FITTED, &never()).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Image, "{}", chain(&error));

    let hostile = registry.add_image("bad", &host, &[Layer::new().file("../x", "").tar()]);
    let error = images.ensure(&client, "p/r", &hostile, FITTED, &never()).await.unwrap_err();
    assert!(matches!(&error, PullError::Merge { .. }));
    assert!(chain(&error).contains("entry `../x`: the path leaves the image"), "{}", chain(&error));
    assert_eq!(error.blame(), Blame::Image);

    let good = image(&registry).await;
    for _ in 0..20 {
        registry.fault("/blobs/", Fault::Status(503, None));
    }
    let error = images.ensure(&client, "p/r", &good, FITTED, &never()).await.unwrap_err();
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
    let (pulled, ()) = tokio::join!(images.ensure(&client, "p/r", &digest, FITTED, &cancel), async { cancel.cancel() });
    assert!(matches!(pulled, Err(PullError::Canceled)));
    let _image = images.ensure(&client, "p/r", &digest, FITTED, &never()).await.unwrap();
}

#[tokio::test]
async fn each_size_of_disk_is_made_once_from_what_was_fetched_once() {
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let digest = image(&registry).await;
    let (images, client) = (images(dir.path()), registry.client(Credentials::None));
    let fitted = images.ensure(&client, "p/r", &digest, FITTED, &never()).await.unwrap();
    registry.seen();
    let large = images.ensure(&client, "p/r", &digest, DiskSize::Bytes(1 << 30), &never()).await.unwrap();
    assert_eq!(fs::metadata(large.rootfs()).unwrap().len(), 1 << 30);
    assert_ne!(fitted.rootfs(), large.rootfs());
    assert_eq!(registry.seen().len(), 2, "manifest and configuration, but no layer");

    let too_small = images.ensure(&client, "p/r", &digest, DiskSize::Bytes(200_000), &never()).await.unwrap_err();
    assert_eq!(too_small.blame(), Blame::Image, "{}", chain(&too_small));
    assert!(chain(&too_small).contains("it was given 200000"), "{}", chain(&too_small));
    assert_eq!(images.cache().list().unwrap().len(), 2);
}

/// Tells a process of this test program to be the helper, and in which folder.
const HELPER: &str = "BENCHER_OCI_HELPER";

fn cache(dir: &Path) -> ImageCache {
    ImageCache::open(dir, CacheLimits::default()).unwrap()
}

/// Not a test of its own: the process that the test below starts and kills.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "it says how far it is")]
async fn helper_process() {
    let Some(dir) = std::env::var_os(HELPER).map(PathBuf::from) else { return };
    let acquired = cache(&dir).acquire(&fitted(&Digest::sha256(b"1"))).await.unwrap();
    let Acquired::Missing(building) = acquired else { panic!("it is there already") };
    fs::write(building.rootfs(), vec![7; 100_000]).unwrap();
    println!("half");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_process_killed_while_it_builds_leaves_nothing_that_looks_whole() {
    let dir = tempfile::tempdir().unwrap();
    let key = fitted(&Digest::sha256(b"1"));
    let other = cache(dir.path());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "images::helper_process", "--nocapture"]).env(HELPER, dir.path()).stdout(Stdio::piped());
    let mut helper = command.spawn().unwrap();
    let mut said = BufReader::new(helper.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().ends_with("half")));
    assert!(other.get(&key).unwrap().is_none());
    helper.kill().unwrap();
    helper.wait().unwrap();
    // Who was there all along may build at once; who starts next removes what is left.
    assert!(matches!(other.acquire(&key).await.unwrap(), Acquired::Missing(_)));
    assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 1);
    assert!(cache(dir.path()).list().unwrap().is_empty());
    assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_full_disk_is_told_as_such() {
    if !have_root() || !have_tool("mount") {
        return;
    }
    let (registry, dir) = (Registry::start().await, tempfile::tempdir().unwrap());
    let digest = image(&registry).await;
    let small = Mounted::tmpfs(dir.path(), "size=200k");
    let images = images(small.root());
    let error = images.ensure(&registry.client(Credentials::None), "p/r", &digest, FITTED, &never()).await.unwrap_err();
    assert!(error.is_disk_full(), "{}", chain(&error));
    assert_eq!(error.blame(), Blame::Host);
    drop(images);
}
