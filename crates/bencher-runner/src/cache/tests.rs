use std::{fs, os::unix::fs::PermissionsExt as _};

use bencher_oci::{BlobRef, BlobStore, CacheLimits, DiskSize, ImageCache, ImageKey, StoreLimits, cache::Acquired};
use bencher_types::Digest;
use oci_spec::image::ImageConfiguration;

use super::{Cleared, Keeper, Remove, Usage};

/// A data folder's images, with these downloads.
fn images(contents: &[&[u8]]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let store = BlobStore::open(&dir.path().join("store"), StoreLimits { bytes: 1 << 20 }).expect("a store");
    fs::create_dir(dir.path().join("cache")).expect("a folder");
    for content in contents {
        let blob = BlobRef { digest: Digest::sha256(content), size: content.len() as u64, media_type: String::new() };
        let mut partial = store.begin(&blob).expect("it begins");
        partial.write(content).expect("it is written");
        partial.finish().expect("it is whole");
    }
    dir
}

#[test]
fn a_folder_without_images_stays_as_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let keeper = Keeper::open(&dir.path().join("images")).expect("it opens");
    assert_eq!(keeper.usage().expect("it can be counted"), Usage::default());
    assert_eq!(keeper.clear().expect("nothing to do"), Cleared::default());
    assert!(keeper.verify(Remove::Damaged).expect("nothing to read").damaged.is_empty());
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 0);
}

#[test]
fn clearing_leaves_what_somebody_uses() {
    let dir = images(&[b"used", b"free!"]);
    let store = BlobStore::open(&dir.path().join("store"), StoreLimits { bytes: 1 << 20 }).expect("a store");
    let used = store.get(&Digest::sha256(b"used")).expect("it opens").expect("it is there");
    let keeper = Keeper::open(dir.path()).expect("it opens");
    assert_eq!(keeper.clear().expect("it is emptied"), Cleared { images: 0, downloads: 1, bytes: 5, in_use: 1 });
    assert_eq!(keeper.usage().expect("it can be counted").downloads, 1);
    drop(used);
    assert_eq!(keeper.clear().expect("it is emptied").downloads, 1);
}

#[test]
fn looking_does_not_hold_the_cache_to_other_bounds_than_the_runners() {
    let dir = images(&[&[7; 100_000]]);
    assert_eq!(Keeper::open(dir.path()).expect("it opens").usage().expect("it can be counted").download_bytes, 100_000);
}

#[test]
fn damage_is_found_and_removed_only_on_request() {
    let dir = images(&[b"good", b"bad!"]);
    let name = format!("sha256-{}", Digest::sha256(b"bad!").hex());
    fs::write(dir.path().join("store/blobs").join(&name), b"evil").expect("damage");
    let keeper = Keeper::open(dir.path()).expect("it opens");
    let verified = keeper.verify(Remove::Nothing).expect("it is read");
    assert_eq!((verified.downloads, verified.damaged.len(), verified.damaged[0].removed), (2, 1, false));
    assert_eq!(verified.damaged[0].name, name);
    assert!(keeper.verify(Remove::Damaged).expect("it is read").damaged[0].removed);
    assert!(keeper.verify(Remove::Nothing).expect("it is read").damaged.is_empty());
}

#[tokio::test]
async fn a_damaged_image_is_named_with_its_disk() {
    let dir = images(&[]);
    let cache = ImageCache::open(&dir.path().join("cache"), CacheLimits::default()).expect("a cache");
    let key = ImageKey::new(Digest::sha256(b"image"), DiskSize::Bytes(1 << 30));
    let Acquired::Missing(building) = cache.acquire(&key).await.expect("a place") else { panic!("it is there already") };
    fs::write(building.rootfs(), "whole").expect("it is written");
    let image = building.publish(1, ImageConfiguration::default()).expect("it is put in place").expect("it stays");
    let path = image.rootfs();
    drop(image);
    let keeper = Keeper::open(dir.path()).expect("it opens");
    assert!(keeper.verify(Remove::Damaged).expect("it is read").damaged.is_empty());
    let listed = keeper.list().expect("it is listed").images;
    assert_eq!((listed.len(), listed[0].disk_bytes, listed[0].files), (1, Some(1 << 30), 1));

    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    fs::write(&path, "other").expect("damage");
    let damaged = keeper.verify(Remove::Damaged).expect("it is read").damaged;
    assert_eq!((damaged.len(), damaged[0].removed), (1, true));
    assert_eq!(damaged[0].name, format!("{} on a disk of 1073741824 bytes", key.digest));
    assert!(keeper.list().expect("it is listed").images.is_empty());
}
