use std::time::{Duration, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    limits::Limits,
    merge,
    sink::{
        TreeSink as _,
        ext4::{Ext4Options, Ext4Sink},
    },
};

fn cache_with(dir: &Path, bytes: u64) -> ImageCache {
    let limits = CacheLimits { bytes, max_age: Duration::from_secs(u64::MAX / 4) };
    ImageCache::open(dir, limits).unwrap()
}

fn digest(n: u8) -> Digest {
    Digest::sha256(&[n])
}

/// An image on the smallest disk.
fn key(n: u8) -> ImageKey {
    ImageKey::new(digest(n), DiskSize::Fitted)
}

async fn begin(cache: &ImageCache, n: u8) -> Building {
    begin_key(cache, key(n)).await
}

async fn begin_key(cache: &ImageCache, key: ImageKey) -> Building {
    match cache.acquire(&key).await.unwrap() {
        Acquired::Missing(building) => building,
        Acquired::Cached(_) => panic!("it is cached already"),
    }
}

/// An image with no file takes a few blocks.
async fn put(cache: &ImageCache, n: u8) -> CachedImage {
    put_key(cache, key(n)).await
}

async fn put_key(cache: &ImageCache, key: ImageKey) -> CachedImage {
    let building = begin_key(cache, key).await;
    let config = serde_json::json!({ "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": [] } });
    let config = serde_json::from_value(config).unwrap();
    let tree = merge::merge(&[], &Limits::default(), &cache.tmp(), &CancellationToken::new()).unwrap();
    let sink = Ext4Sink::new(&building.rootfs(), Ext4Options::of_size(building.disk()));
    let written = sink.write(&tree, &CancellationToken::new()).unwrap();
    building.publish(written.inodes, config).unwrap().unwrap()
}

fn last_used_at(cache: &ImageCache, n: u8, seconds: u64) {
    let path = cache.image_dir(&key(n)).join(METADATA);
    File::options().write(true).open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

fn cached(cache: &ImageCache) -> Vec<bool> {
    (1..=3).map(|n| cache.image_dir(&key(n)).exists()).collect()
}

#[tokio::test]
async fn a_published_image_is_found_by_this_process_and_others() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache_with(dir.path(), 1 << 30);
    assert!(cache.get(&key(1)).unwrap().is_none());
    let image = put(&cache, 1).await;
    assert!(image.rootfs().is_file());
    assert_eq!(cache_with(dir.path(), 1 << 30).get(&key(1)).unwrap().unwrap().digest(), &digest(1));
    assert_eq!(cache.list().unwrap().len(), 1);
    assert_eq!(fs::read_dir(cache.tmp()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_abandoned_build_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache_with(dir.path(), 1 << 30);
    let building = begin(&cache, 1).await;
    fs::write(building.rootfs(), "half").unwrap();
    drop(building);
    assert_eq!(fs::read_dir(cache.tmp()).unwrap().count(), 0);
    assert!(cache.get(&key(1)).unwrap().is_none());
    drop(begin(&cache, 1).await);
}

#[tokio::test]
async fn leftovers_of_a_dead_process_go_and_builds_of_a_living_one_stay() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache_with(dir.path(), 1 << 30);
    fs::create_dir_all(cache.tmp().join("build-dead/rootfs/etc")).unwrap();
    fs::create_dir_all(cache.image_dir(&key(2))).unwrap();
    fs::write(cache.image_dir(&key(2)).join(ROOTFS), "x").unwrap();
    let building = begin(&cache, 1).await;
    cache_with(dir.path(), 1 << 30);
    assert!(building.rootfs().parent().unwrap().is_dir());
    assert_eq!(fs::read_dir(cache.tmp()).unwrap().count(), 1);
    assert_eq!(cached(&cache), [false, false, false], "what has no metadata is no image");
}

#[tokio::test]
async fn one_builds_and_the_others_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    // The second one stands for another process: it shares nothing but the folder.
    let (cache, other) = (cache_with(dir.path(), 1 << 30), cache_with(dir.path(), 1 << 30));
    let building = begin(&cache, 1).await;
    let waiting = [cache.clone(), other].map(|cache| tokio::spawn(async move { cache.acquire(&key(1)).await.unwrap() }));
    tokio::task::yield_now().await;
    assert!(waiting.iter().all(|task| !task.is_finished()));
    drop(building);
    let mut built = 0;
    for task in waiting {
        match task.await.unwrap() {
            Acquired::Missing(_) => built += 1,
            Acquired::Cached(_) => {}
        }
    }
    assert_eq!(built, 2, "nobody published, so each had its turn");
}

#[tokio::test]
async fn the_least_recently_used_go_first_and_what_is_used_stays() {
    let dir = tempfile::tempdir().unwrap();
    let size = put(&cache_with(dir.path(), 1 << 30), 1).await.bytes();
    let cache = cache_with(dir.path(), 2 * size);
    let _used = cache.get(&key(1)).unwrap().unwrap();
    drop(put(&cache, 2).await);
    last_used_at(&cache, 1, 1);
    last_used_at(&cache, 2, 2);
    drop(put(&cache, 3).await);
    assert_eq!(cached(&cache), [true, false, true]);
    assert_eq!(fs::read_dir(cache.locks()).unwrap().count(), 2, "locks go with their images");
}

#[tokio::test]
async fn what_nobody_used_for_long_goes() {
    let dir = tempfile::tempdir().unwrap();
    let cache = ImageCache::open(dir.path(), CacheLimits::default()).unwrap();
    drop(put(&cache, 1).await);
    drop(put(&cache, 2).await);
    last_used_at(&cache, 1, 1);
    assert_eq!(cache.evict().unwrap().images, 1);
    assert_eq!(cached(&cache), [false, true, false]);
}

#[tokio::test]
async fn clearing_spares_what_is_used_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache_with(dir.path(), 1 << 30);
    let used = put(&cache, 1).await;
    drop(put(&cache, 2).await);
    let other = cache_with(dir.path(), 1 << 30);
    assert_eq!(other.list().unwrap().iter().filter(|image| image.in_use).count(), 1);
    let evicted = other.clear().unwrap();
    assert_eq!((evicted.images, evicted.in_use), (1, 1));
    drop(used);
    assert_eq!(other.clear().unwrap().images, 1);
}

#[tokio::test]
async fn a_changed_image_is_found_by_verification() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache_with(dir.path(), 1 << 30);
    let image = put(&cache, 1).await;
    assert_eq!(cache.verify(&key(1)).unwrap(), Some(true));
    let mut bytes = fs::read(image.rootfs()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::remove_file(image.rootfs()).unwrap();
    fs::write(image.rootfs(), bytes).unwrap();
    assert_eq!(cache.verify(&key(1)).unwrap(), Some(false));
    fs::remove_file(image.rootfs()).unwrap();
    assert_eq!(cache.verify(&key(1)).unwrap(), Some(false));
    assert_eq!(cache.verify(&key(2)).unwrap(), None);
}

#[tokio::test]
async fn an_image_is_kept_once_for_each_size_of_disk() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache_with(dir.path(), 1 << 30);
    let (small, large) = (put(&cache, 1).await, put_key(&cache, ImageKey::new(digest(1), DiskSize::Bytes(10 << 30))).await);
    assert_ne!(small.rootfs(), large.rootfs());
    assert_eq!((small.disk(), large.disk()), (DiskSize::Fitted, DiskSize::Bytes(10 << 30)));
    assert_eq!(fs::metadata(large.rootfs()).unwrap().len(), 10 << 30);
    // What counts is what is stored.
    assert!(large.bytes() < 64 << 20, "{}", large.bytes());
    let mut listed: Vec<_> = cache.list().unwrap().iter().map(|image| (image.disk == large.disk(), image.bytes)).collect();
    listed.sort_unstable();
    assert_eq!(listed, [(false, small.bytes()), (true, large.bytes())]);
    assert_eq!(cache.verify(&ImageKey::new(digest(1), large.disk())).unwrap(), Some(true));
    drop(large);
    assert_eq!(cache.clear().unwrap().images, 1);
    assert!(cache.get(&key(1)).unwrap().is_some());
}

#[tokio::test]
async fn folders_of_the_first_version_go_unless_their_runner_still_uses_them() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache_with(dir.path(), 1 << 30);
    let old = |n: u8| format!("sha256-{}", digest(n).hex());
    for n in [1, 2] {
        let folder = cache.images().join(old(n));
        fs::create_dir_all(folder.join("rootfs/locked")).unwrap();
        fs::write(folder.join(METADATA), r#"{"version":1}"#).unwrap();
        fs::set_permissions(folder.join("rootfs/locked"), std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    }
    let lock = flock::open_or_create(&cache.locks().join(old(2))).unwrap();
    assert!(flock::try_shared(&lock).unwrap());
    let cache = cache_with(dir.path(), 1 << 30);
    assert_eq!(cache.list().unwrap().len(), 0);
    assert_eq!([1, 2].map(|n| cache.images().join(old(n)).exists()), [false, true]);
    drop(lock);
    let cache = cache_with(dir.path(), 1 << 30);
    assert_eq!(fs::read_dir(cache.images()).unwrap().count(), 0);
}
