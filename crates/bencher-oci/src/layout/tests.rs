use super::*;
use crate::document::MANIFEST;

fn host() -> Platform {
    Platform::new("linux", "amd64")
}

#[test]
fn an_image_is_found_by_name_by_digest_and_alone() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(dir.path()).unwrap();
    let one = layout.write_document(MANIFEST, b"one").unwrap();
    layout.tag(&one, &host(), "v1").unwrap();
    assert_eq!(layout.find(None).unwrap().digest, one.digest);
    let two = layout.write_document(MANIFEST, b"two").unwrap();
    layout.tag(&two, &host(), "v2").unwrap();
    assert_eq!(layout.find(Some("v2")).unwrap().digest, two.digest);
    assert_eq!(layout.find(Some(&one.digest.to_string())).unwrap().digest, one.digest);
    assert!(matches!(layout.find(None), Err(LayoutError::SeveralImages { found, .. }) if found == "v1, v2"));
    assert!(matches!(layout.find(Some("v3")), Err(LayoutError::NoSuchImage { .. })));
}

#[test]
fn a_name_moves_to_the_newer_image() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(dir.path()).unwrap();
    for content in [b"one", b"two"] {
        let image = layout.write_document(MANIFEST, content).unwrap();
        layout.tag(&image, &host(), "latest").unwrap();
    }
    assert_eq!(Layout::open(dir.path()).unwrap().find(None).unwrap().digest, Digest::sha256(b"two"));
}

#[test]
fn a_folder_that_is_no_layout_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Layout::open(dir.path()), Err(LayoutError::NotALayout { .. })));
    fs::write(dir.path().join(LAYOUT_FILE), r#"{"imageLayoutVersion":"9.0.0"}"#).unwrap();
    assert!(matches!(Layout::open(dir.path()), Err(LayoutError::Version { .. })));
}

#[test]
fn a_damaged_or_missing_document_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(dir.path()).unwrap();
    let blob = layout.write_document(MANIFEST, b"one").unwrap();
    fs::write(layout.blob_path(&blob.digest), b"eno").unwrap();
    assert!(matches!(layout.read_document(&blob, 100), Err(LayoutError::Corrupt { .. })));
    assert!(matches!(layout.read_document(&blob, 2), Err(LayoutError::Document(DocumentError::TooLarge { .. }))));
    fs::remove_file(layout.blob_path(&blob.digest)).unwrap();
    assert!(matches!(layout.read_document(&blob, 100), Err(LayoutError::MissingBlob { .. })));
}
