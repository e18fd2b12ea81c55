//! Archives of images, written and read, whole and broken.

use std::{fs, io::Read as _, path::Path};

use bencher_oci::{ArchiveError, Layout, Limits, Platform, archive};
use bencher_types::Digest;
use serde_json::{Value, json};

use crate::support::{Layer, chain, gzip};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn layer(content: &str) -> Vec<u8> {
    Layer::new().file("file", content).tar()
}

fn config(layers: &[Vec<u8>]) -> Vec<u8> {
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::sha256(layer)).collect();
    json!({ "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": diff_ids } })
        .to_string()
        .into_bytes()
}

/// A layout with an image of these layers, called `shop:v1`.
fn layout(dir: &Path, layers: &[Vec<u8>]) -> Layout {
    let layout = Layout::create(dir).unwrap();
    let blob = |kind: &str, bytes: &[u8]| {
        let blob = layout.write_document(kind, bytes).unwrap();
        json!({ "mediaType": blob.media_type, "digest": blob.digest, "size": blob.size })
    };
    let config = blob(CONFIG, &config(layers));
    let layers: Vec<Value> = layers.iter().map(|layer| blob(LAYER, &gzip(layer))).collect();
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
    let manifest = layout.write_document(MANIFEST, manifest.to_string().as_bytes()).unwrap();
    layout.tag(&manifest, &Platform::new("linux", "amd64"), "shop:v1").unwrap();
    layout
}

fn read(bytes: &[u8], dir: &Path) -> Result<Layout, ArchiveError> {
    archive::read(bytes, dir, &Limits::default())
}

fn write_oci(layout: &Layout) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive::write_oci(layout, &Limits::default(), &mut bytes).unwrap();
    bytes
}

fn write_docker(layout: &Layout) -> Vec<u8> {
    let mut bytes = Vec::new();
    let root = layout.find(None).unwrap();
    archive::write_docker(layout, &root, &["shop:v1".to_owned()], &Limits::default(), &mut bytes).unwrap();
    bytes
}

#[test]
fn a_layout_comes_back_from_its_archive_as_it_was_compressed_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let one = layout(&dir.path().join("one"), &[layer("a"), layer("b")]);
    fs::write(one.dir().join("blobs/sha256").join("0".repeat(64)), "nothing leads here").unwrap();
    let bytes = write_oci(&one);
    assert_eq!(bytes, write_oci(&one), "the same images have the same archive");
    for (name, bytes) in [("plain", bytes.clone()), ("gzip", gzip(&bytes)), ("zstd", crate::support::zstd(&bytes))] {
        let back = read(&bytes, &dir.path().join(name)).unwrap();
        assert_eq!(back.find(Some("shop:v1")).unwrap(), one.find(Some("shop:v1")).unwrap());
        assert_eq!(write_oci(&back), write_oci(&one));
        assert_eq!(fs::read_dir(back.dir()).unwrap().count(), 3, "nothing that was put aside stays");
    }
}

#[test]
fn an_image_survives_the_way_through_dockers_own_archive() {
    let dir = tempfile::tempdir().unwrap();
    let layers = [layer("a"), layer("b"), layer("a")];
    let one = layout(&dir.path().join("one"), &layers);
    let back = read(&write_docker(&one), &dir.path().join("back")).unwrap();
    let resolve =
        |layout: &Layout| layout.resolve(Some("shop:v1"), &Platform::new("linux", "amd64"), &Limits::default()).unwrap();
    let (before, after) = (resolve(&one), resolve(&back));
    assert_eq!(before.config_bytes, after.config_bytes);
    assert_eq!(after.layers.len(), 3);
    for (layer, expected) in after.layers.iter().zip(&layers) {
        let mut plain = Vec::new();
        let packed = back.open_blob(&layer.blob.digest).unwrap();
        flate2::read::GzDecoder::new(packed).read_to_end(&mut plain).unwrap();
        assert_eq!(&plain, expected);
    }
    // The same archive gives the same digest, on any machine.
    assert_eq!(read(&write_docker(&one), &dir.path().join("again")).unwrap().find(None).unwrap(), back.find(None).unwrap());
}

/// What older docker writes: a folder per layer, one of them a link to another.
fn old_docker(config: &[u8], layer: &[u8], tags: &Value) -> Vec<u8> {
    let manifest = json!([{ "Config": "c.json", "RepoTags": tags, "Layers": ["a/layer.tar", "b/layer.tar"] }]);
    Layer::new()
        .file("a/layer.tar", layer)
        .symlink("b/layer.tar", "../a/layer.tar")
        .file("c.json", config)
        .file("manifest.json", manifest.to_string())
        .tar()
}

#[test]
fn links_between_layers_are_followed_inside_the_archive() {
    let dir = tempfile::tempdir().unwrap();
    let (one, config) = (layer("a"), config(&[layer("a"), layer("a")]));
    let read = |tags: &Value, name: &str| read(&old_docker(&config, &one, tags), &dir.path().join(name)).unwrap();
    let names = |layout: &Layout| layout.names().unwrap().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&read(&json!(["shop:v1", "shop:v2"]), "two")), ["shop:v1", "shop:v2"]);
    let unnamed = read(&Value::Null, "none");
    assert_eq!(names(&unnamed), [unnamed.find(None).unwrap().digest.to_string()]);
}

#[track_caller]
fn refused(bytes: &[u8], expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let error = read(bytes, &dir.path().join("layout")).unwrap_err();
    assert!(chain(&error).contains(expected), "expected {expected:?} in {:?}", chain(&error));
}

#[test]
fn an_archive_that_was_cut_short_is_refused_wherever_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let one = layout(&dir.path().join("one"), &[layer(&"a".repeat(5000))]);
    for bytes in [write_oci(&one), write_docker(&one)] {
        for end in (1..bytes.len() - 1024).step_by(512).chain([100, 700]) {
            let error = read(&bytes[..end], &tempfile::tempdir().unwrap().path().join("layout"));
            assert!(error.is_err(), "cut after {end} of {}", bytes.len());
        }
        let packed = gzip(&bytes);
        refused(&packed[..packed.len() / 2], "cannot be read");
    }
}

#[test]
fn content_that_is_not_what_it_is_called_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let layout = layout(&dir.path().join("one"), &[layer("a")]);
    let path = fs::read_dir(layout.dir().join("blobs/sha256")).unwrap().next().unwrap().unwrap().path();
    let name = path.file_name().unwrap().to_str().unwrap();
    let other = Layer::new()
        .file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)
        .file("index.json", fs::read(layout.dir().join("index.json")).unwrap())
        .file(format!("blobs/sha256/{name}"), "something else")
        .tar();
    refused(&other, &format!("the blob sha256:{name} of the archive has the digest sha256:"));
    refused(
        &old_docker(&config(&[layer("a"), layer("b")]), &layer("a"), &json!([])),
        "the layer `b/layer.tar` of the archive unpacks to",
    );
}

#[test]
fn names_that_lead_out_of_the_archive_are_refused_and_nothing_is_written_there() {
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("deep/layout");
    for bytes in [
        Layer::new().file("../../escaped", "x").tar(),
        Layer::new().file("a/../../escaped", "x").tar(),
        Layer::new().symlink("manifest.json", "../../../../etc/passwd").tar(),
    ] {
        let error = read(&bytes, &into).unwrap_err();
        assert!(matches!(error, ArchiveError::Escapes(_)), "{error}");
    }
    // An absolute name is one inside the archive.
    let error = read(&Layer::new().file("/tmp/escaped", "x").tar(), &into).unwrap_err();
    assert!(matches!(error, ArchiveError::NoImages), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn what_is_no_archive_of_images_is_told_as_such() {
    refused(b"", "neither an `oci-layout`, nor a `manifest.json`");
    refused(&layer("a"), "neither an `oci-layout`, nor a `manifest.json`");
    refused(&[b'x'; 2000], "the checksum of a header is wrong");
    refused(&Layer::new().file("manifest.json", "{").tar(), "`manifest.json` of the archive is not valid JSON");
    let manifest = json!([{ "Config": "c.json", "RepoTags": [], "Layers": [] }]).to_string();
    refused(&Layer::new().file("manifest.json", manifest).tar(), "the archive lacks `c.json`");
    refused(&Layer::new().symlink("manifest.json", "manifest.json").tar(), "neither an `oci-layout`");
    refused(&Layer::new().file("manifest.json", vec![b' '; 5 << 20]).tar(), "at most 4194304 are accepted");
    refused(&Layer::new().file("oci-layout", r#"{"imageLayoutVersion":"9"}"#).tar(), "has the layout version 9, expected 1.0.0");
}
