//! An image as one archive.

use std::{collections::BTreeMap, io::Read as _};

use bencher_oci::{
    BlobRef, Layout, Limits, Platform,
    assemble::{Recipe, Source, assemble},
    flatten,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::Layer;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A layout with an image of these layers.
fn image(layers: Vec<Layer>) -> (tempfile::TempDir, Layout) {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(dir.path()).unwrap();
    let layers: Vec<BlobRef> = layers
        .into_iter()
        .map(|layer| layout.write_document("application/vnd.oci.image.layer.v1.tar", &layer.tar()).unwrap())
        .collect();
    let host = Platform::host();
    let diff_ids: Vec<_> = layers.iter().map(|layer| &layer.digest).collect();
    let config = json!({
        "architecture": host.architecture, "os": host.os, "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = layout.write_document("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes()).unwrap();
    let blob = |blob: &BlobRef| json!({ "mediaType": blob.media_type, "digest": blob.digest, "size": blob.size });
    let layers: Vec<_> = layers.iter().map(blob).collect();
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": blob(&config), "layers": layers });
    let manifest = layout.write_document(MANIFEST, manifest.to_string().as_bytes()).unwrap();
    layout.tag(&manifest, &host, "v1").unwrap();
    (dir, layout)
}

/// `kind mode link-or-content` of every member, by its path.
fn members(layout: &Layout) -> BTreeMap<String, String> {
    let resolved = layout.resolve(Some("v1"), &Platform::host(), &Limits::default()).unwrap();
    let mut archive = Vec::new();
    flatten((layout, &resolved), &Limits::default(), layout.dir(), &mut archive, &CancellationToken::new()).unwrap();
    let mut members = BTreeMap::new();
    let mut archive = tar::Archive::new(archive.as_slice());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let (kind, mode) = (entry.header().entry_type(), entry.header().mode().unwrap());
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        let link = entry.link_name().unwrap().map(|link| link.display().to_string()).unwrap_or_default();
        assert!(members.insert(path, format!("{kind:?} {mode:o} {link}{content}")).is_none());
    }
    members
}

#[test]
fn layers_become_one_archive_without_what_needs_rights() {
    let lower = Layer::new().dir("etc", 0o555).file("etc/old", "old").file("etc/kept", "kept").dir("run", 0o1777);
    let upper = Layer::new()
        .file("etc/.wh.old", "")
        .file("etc/zoo", "two names")
        .hard_link("etc/again", "etc/zoo")
        .symlink("etc/link", "/etc/kept")
        .sparse("hole", 10, &[(4, b"mid")])
        .device("null", 1, 3)
        .fifo("pipe");
    let (_dir, layout) = image(vec![lower, upper]);
    let members = members(&layout);
    let expected = [
        ("etc", "Directory 755 "),
        ("etc/kept", "Regular 644 kept"),
        ("etc/link", "Symlink 777 /etc/kept"),
        ("hole", "Regular 644 \0\0\0\0mid\0\0\0"),
        ("run", "Directory 1777 "),
    ];
    for (path, expected) in expected {
        assert_eq!(members[path], expected, "{path}");
    }
    // Whichever comes first holds the content.
    let pair = [&members["etc/again"], &members["etc/zoo"]];
    assert!(
        pair.iter().any(|member| member.ends_with("two names")) && pair.iter().any(|member| member.starts_with("Link")),
        "{pair:?}"
    );
    assert_eq!(members.len(), expected.len() + pair.len(), "{members:#?}");
}

#[test]
fn an_archive_of_an_image_of_a_folder_has_what_was_in_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let deep = "a/".repeat(80);
    std::fs::create_dir_all(dir.path().join("root").join(&deep)).unwrap();
    std::fs::write(dir.path().join("root").join(&deep).join("file"), "deep").unwrap();
    let layout = Layout::create(&dir.path().join("layout")).unwrap();
    assemble(&Recipe::new(Source::Folder(dir.path().join("root"))), &layout, "v1").unwrap();
    assert!(members(&layout)[&format!("{deep}file")].ends_with("deep"));
}
