//! Target `layout`: any bytes as the index of an image layout, and as its marker. An image that is found must be found by its
//! digest too; what it leads to is missing or refused, never a panic.

use std::{fs, path::Path};

use bencher_oci::{BlobRef, Layout, Limits, Platform};
use bencher_types::Digest;

pub(crate) fn run(bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("a temporary folder: {error}"));
    let write = |name: &str, bytes: &[u8]| {
        fs::write(dir.path().join(name), bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    };
    write("index.json", bytes);
    write("oci-layout", bytes);
    if Layout::open(dir.path()).is_ok() {
        read(dir.path());
    }
    write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    // Something for the index to lead to: itself, so that indexes may point to indexes.
    let digest = Digest::sha256(bytes);
    let blobs = dir.path().join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap_or_else(|error| panic!("a folder for blobs: {error}"));
    write(&format!("blobs/sha256/{}", digest.hex()), bytes);
    read(dir.path());
    let layout = Layout::open(dir.path()).unwrap_or_else(|error| panic!("a valid layout is refused: {error}"));
    let media_type = "application/vnd.oci.image.index.v1+json".to_owned();
    let itself = BlobRef { digest, size: bytes.len() as u64, media_type };
    if layout.tag(&itself, &Platform::new("linux", "amd64"), "itself").is_ok() {
        assert_eq!(layout.find(Some("itself")).map(|blob| blob.digest).ok().as_ref(), Some(&itself.digest));
        // The index led to what it was before; now there is one image more.
        drop(layout.resolve(Some("itself"), &Platform::new("linux", "amd64"), &Limits::default()));
    }
}

fn read(dir: &Path) {
    let Ok(layout) = Layout::open(dir) else { return };
    let (limits, platform) = (Limits::default(), Platform::new("linux", "amd64"));
    for reference in [None, Some("latest"), Some("")] {
        if let Ok(found) = layout.find(reference) {
            let digest = found.digest.to_string();
            assert_eq!(layout.find(Some(&digest)).map(|blob| blob.digest).ok(), Some(found.digest.clone()));
            drop(layout.read_document(&found, limits.manifest_bytes));
        }
        drop(layout.resolve(reference, &platform, &limits));
    }
}
