use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn manifest(config_type: &str, layer_type: &str, layer_size: u64) -> ImageManifest {
    let json = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": config_type, "digest": DIGEST, "size": 2 },
        "layers": [{ "mediaType": layer_type, "digest": DIGEST, "size": layer_size }],
    });
    match Document::parse(json.to_string().as_bytes()).unwrap() {
        Document::Manifest(manifest) => *manifest,
        Document::Index(_) => panic!("not an index"),
    }
}

fn index(platforms: &[&str]) -> ImageIndex {
    let manifests: Vec<_> = platforms
        .iter()
        .map(|platform| {
            let (os, architecture) = platform.split_once('/').unwrap();
            serde_json::json!({
                "mediaType": MANIFEST, "digest": DIGEST, "size": 2,
                "platform": { "os": os, "architecture": architecture },
            })
        })
        .collect();
    let json = serde_json::json!({ "schemaVersion": 2, "manifests": manifests });
    match Document::parse(json.to_string().as_bytes()).unwrap() {
        Document::Index(index) => *index,
        Document::Manifest(_) => panic!("not a manifest"),
    }
}

fn amd64() -> Platform {
    Platform::new("linux", "amd64")
}

#[test]
fn the_manifest_of_the_host_is_chosen_and_attestations_are_passed_over() {
    let chosen = select_platform(&index(&["unknown/unknown", "linux/arm64", "linux/amd64"]), &amd64()).unwrap();
    assert_eq!(chosen.digest.to_string(), DIGEST);
}

#[test]
fn an_index_without_the_host_says_what_it_has() {
    let error = select_platform(&index(&["unknown/unknown", "linux/s390x", "linux/arm64"]), &amd64()).unwrap_err();
    assert_eq!(error.to_string(), "image is for linux/arm64, linux/s390x, this host is linux/amd64");
}

#[test]
fn an_image_of_another_architecture_is_an_error_of_its_own() {
    let config = serde_json::json!({
        "os": "linux", "architecture": "arm64", "rootfs": { "type": "layers", "diff_ids": [DIGEST] },
    });
    let manifest = manifest(CONFIG_TYPES[0], LAYER_TYPES[0], 1);
    let digest = DIGEST.parse().unwrap();
    let error = ResolvedImage::new(digest, manifest, config.to_string().into_bytes(), &amd64()).unwrap_err();
    assert_eq!(error.to_string(), "image is for linux/arm64, this host is linux/amd64");
}

#[test]
fn layers_that_the_configuration_does_not_know_are_refused() {
    let config = serde_json::json!({ "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": [] } });
    let manifest = manifest(CONFIG_TYPES[0], LAYER_TYPES[0], 1);
    let error = ResolvedImage::new(DIGEST.parse().unwrap(), manifest, config.to_string().into_bytes(), &amd64()).unwrap_err();
    assert!(matches!(error, DocumentError::LayerMismatch { manifest: 1, config: 0 }));
}

#[test]
fn what_is_not_an_image_is_refused() {
    let artifact = manifest("application/vnd.example.chart", LAYER_TYPES[0], 1);
    assert!(matches!(check_manifest(&artifact, &Limits::default()), Err(DocumentError::NotAnImage(_))));
    let encrypted = manifest(CONFIG_TYPES[0], "application/vnd.oci.image.layer.v1.tar+gzip+encrypted", 1);
    assert!(matches!(check_manifest(&encrypted, &Limits::default()), Err(DocumentError::LayerType { layer: 0, .. })));
}

#[test]
fn an_image_beyond_the_limits_is_refused_before_it_is_fetched() {
    let large = manifest(CONFIG_TYPES[0], LAYER_TYPES[0], Limits::default().image_bytes + 1);
    assert!(matches!(check_manifest(&large, &Limits::default()), Err(DocumentError::ImageTooLarge { .. })));
    let none = Limits { layers: 0, ..Limits::default() };
    let image = manifest(CONFIG_TYPES[0], LAYER_TYPES[0], 1);
    assert!(matches!(check_manifest(&image, &none), Err(DocumentError::TooManyLayers { found: 1, limit: 0 })));
}

#[test]
fn an_old_manifest_says_what_to_do() {
    let error = Document::parse(br#"{"schemaVersion":1,"fsLayers":[]}"#).unwrap_err();
    assert_eq!(error.to_string(), "the manifest has schema version 1, expected 2; push the image again with a current tool");
}
