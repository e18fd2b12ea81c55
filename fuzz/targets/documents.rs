//! Target `documents`: any bytes as a manifest, an index and an image configuration. What is accepted must be within the
//! limits that the checks promise.

use bencher_oci::{
    Limits, Platform, ProcessDefaults, ResolvedImage,
    document::{self, Document},
};
use bencher_types::Digest;

pub(crate) fn run(bytes: &[u8]) {
    let (limits, platform) = (Limits::default(), Platform::new("linux", "amd64"));
    match Document::parse(bytes) {
        Ok(Document::Index(index)) => drop(document::select_platform(&index, &platform)),
        Ok(Document::Manifest(manifest)) => {
            if let Ok(config) = document::check_manifest(&manifest, &limits) {
                assert!(config.size <= limits.config_bytes && manifest.layers().len() <= limits.layers);
                let layers = manifest.layers().len();
                let digest = Digest::sha256(bytes);
                if let Ok(image) = ResolvedImage::new(digest, *manifest, configuration(layers), &platform) {
                    assert!(image.layers.len() == layers && image.compressed_bytes() <= limits.image_bytes);
                }
            }
        }
        Err(_) => {}
    }
    for layers in 0..3 {
        let Ok(Document::Manifest(manifest)) = Document::parse(&manifest(layers)) else { panic!("our own manifest is refused") };
        if let Ok(image) = ResolvedImage::new(Digest::sha256(bytes), *manifest, bytes.to_vec(), &platform) {
            assert_eq!(image.layers.len(), layers);
            let _ = ProcessDefaults::from(&image.config);
        }
    }
}

/// A configuration that fits a manifest with so many layers.
fn configuration(layers: usize) -> Vec<u8> {
    let diff_ids = vec![Digest::sha256(b"").to_string(); layers];
    serde_json::json!({
        "architecture": "amd64",
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    })
    .to_string()
    .into_bytes()
}

/// A manifest with so many layers.
fn manifest(layers: usize) -> Vec<u8> {
    let blob = |kind: &str| {
        serde_json::json!({
            "mediaType": format!("application/vnd.oci.image.{kind}"),
            "digest": Digest::sha256(b"").to_string(),
            "size": 1,
        })
    };
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("config.v1+json"),
        "layers": vec![blob("layer.v1.tar"); layers],
    })
    .to_string()
    .into_bytes()
}
