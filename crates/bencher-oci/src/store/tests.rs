use super::*;

fn blob_of(content: &[u8]) -> BlobRef {
    BlobRef { digest: Digest::sha256(content), size: content.len() as u64, media_type: String::new() }
}

fn store_with(dir: &Path, bytes: u64) -> BlobStore {
    BlobStore::open(dir, StoreLimits { bytes }).unwrap()
}

fn put(store: &BlobStore, content: &[u8]) -> Blob {
    let mut partial = store.begin(&blob_of(content)).unwrap();
    partial.write(&content[usize::try_from(partial.offset()).unwrap()..]).unwrap();
    partial.finish().unwrap()
}

/// Makes a blob look as if it was last used some seconds after 1970.
fn last_used_at(store: &BlobStore, content: &[u8], seconds: u64) {
    let file = File::options().write(true).open(store.blob_path(&Digest::sha256(content))).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
}

#[test]
fn a_blob_is_visible_only_when_whole_and_right() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(dir.path(), 1000);
    let blob = blob_of(b"content");
    let mut partial = store.begin(&blob).unwrap();
    partial.write(b"con").unwrap();
    assert!(store.get(&blob.digest).unwrap().is_none());
    assert!(matches!(partial.finish(), Err(FinishError::Size { found: 3, expected: 7, .. })));
    partial.write(b"tent").unwrap();
    assert_eq!(partial.finish().unwrap().size(), 7);
    assert_eq!(fs::read(store.blob_path(&blob.digest)).unwrap(), b"content");
}

#[test]
fn an_interrupted_download_is_resumed_by_the_next_process() {
    let dir = tempfile::tempdir().unwrap();
    let blob = blob_of(b"content");
    store_with(dir.path(), 1000).begin(&blob).unwrap().write(b"cont").unwrap();
    let mut partial = store_with(dir.path(), 1000).begin(&blob).unwrap();
    assert_eq!((partial.offset(), partial.is_resumed()), (4, true));
    partial.write(b"ent").unwrap();
    partial.finish().unwrap();
}

#[test]
fn wrong_content_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(dir.path(), 1000);
    let blob = blob_of(b"content");
    let mut partial = store.begin(&blob).unwrap();
    partial.write(b"CONTENT").unwrap();
    assert!(matches!(partial.finish(), Err(FinishError::Digest { .. })));
    assert_eq!(partial.offset(), 0);
    assert!(store.get(&blob.digest).unwrap().is_none());
}

#[test]
fn more_content_than_promised_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut partial = store_with(dir.path(), 1000).begin(&blob_of(b"content")).unwrap();
    assert!(matches!(partial.write(b"content and more"), Err(FinishError::Size { found: 16, expected: 7, .. })));
}

#[test]
fn two_writers_of_one_blob_do_not_disturb_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (store_with(dir.path(), 1000), store_with(dir.path(), 1000));
    let blob = blob_of(b"content");
    let mut first = one.begin(&blob).unwrap();
    first.write(b"con").unwrap();
    let mut second = two.begin(&blob).unwrap();
    assert_eq!(second.offset(), 0);
    second.write(b"content").unwrap();
    second.finish().unwrap();
    first.write(b"tent").unwrap();
    first.finish().unwrap();
    assert_eq!(fs::read_dir(one.tmp()).unwrap().count(), 0);
    assert_eq!(fs::read_dir(one.partials()).unwrap().count(), 0);
}

#[test]
fn the_least_recently_used_blob_goes_first_and_what_is_in_use_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(dir.path(), 10);
    let oldest = put(&store, b"aaaa");
    drop(put(&store, b"bbbb"));
    last_used_at(&store, b"aaaa", 1);
    last_used_at(&store, b"bbbb", 2);
    drop(put(&store, b"cccc"));
    assert!(store.get(oldest.digest()).unwrap().is_some(), "it is in use");
    assert!(store.get(&Digest::sha256(b"bbbb")).unwrap().is_none(), "it is the oldest that nobody uses");
    assert!(store.get(&Digest::sha256(b"cccc")).unwrap().is_some(), "it just came");
}

#[test]
fn leftovers_of_a_dead_process_are_removed_and_those_of_a_living_one_stay() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_with(dir.path(), 1000);
    let blob = blob_of(b"content");
    let _resumable = store.begin(&blob).unwrap();
    let _private = store.begin(&blob).unwrap();
    fs::write(store.tmp().join("blob-dead"), b"x").unwrap();
    store_with(dir.path(), 1000);
    let left: Vec<_> = fs::read_dir(store.tmp()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1);
    assert_ne!(left[0], "blob-dead");
}
