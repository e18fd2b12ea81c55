use std::fs;

use bencher_types::Digest;

use super::{StoreUsage, Verdict};
use crate::{document::BlobRef, limits::StoreLimits, store::BlobStore};

fn store(dir: &tempfile::TempDir) -> BlobStore {
    BlobStore::open(dir.path(), StoreLimits { bytes: 1 << 20 }).unwrap()
}

fn put(store: &BlobStore, content: &[u8]) -> String {
    let digest = Digest::sha256(content);
    let blob = BlobRef { digest: digest.clone(), size: content.len() as u64, media_type: String::new() };
    let mut partial = store.begin(&blob).unwrap();
    partial.write(content).unwrap();
    partial.finish().unwrap();
    super::file_name(&digest)
}

#[test]
fn a_damaged_blob_is_told_from_a_whole_one_and_from_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir);
    let (good, bad) = (put(&store, b"good"), put(&store, b"bad"));
    fs::write(dir.path().join("blobs").join(&bad), b"evil").unwrap();
    fs::write(dir.path().join("blobs/readme"), b"hello").unwrap();
    assert_eq!(store.names().unwrap().len(), 3);
    assert_eq!(store.verify(&good).unwrap(), Verdict::Whole);
    assert_eq!(store.verify(&bad).unwrap(), Verdict::Damaged);
    assert_eq!(store.verify("readme").unwrap(), Verdict::Damaged);
    assert!(store.remove_by_name(&bad).unwrap());
    assert_eq!(store.verify(&bad).unwrap(), Verdict::Gone);
}

#[test]
fn unfinished_downloads_count_and_go_when_the_store_is_emptied() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir);
    put(&store, b"whole");
    let unfinished = BlobRef { digest: Digest::sha256(b"later"), size: 5, media_type: String::new() };
    store.begin(&unfinished).unwrap().write(b"la").unwrap();
    assert_eq!(store.usage().unwrap(), StoreUsage { blobs: 1, partial: 1, bytes: 7 });
    let writing = store.begin(&unfinished).unwrap();
    let cleared = store.clear().unwrap();
    assert_eq!((cleared.files, cleared.bytes, cleared.in_use), (1, 5, 1), "nobody takes a download from under its writer");
    drop(writing);
    assert_eq!(store.clear().unwrap().files, 1);
    assert_eq!(store.usage().unwrap(), StoreUsage::default());
}
