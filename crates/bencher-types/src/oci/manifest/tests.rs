use serde_json::{Value, json};

use super::{DOCKER_MANIFEST, Manifest, OCI_INDEX, OCI_MANIFEST, parse};
use crate::Digest;

fn digest(text: &str) -> Digest {
    Digest::sha256(text.as_bytes())
}

fn descriptor(text: &str) -> Value {
    json!({ "mediaType": "application/octet-stream", "digest": digest(text), "size": text.len() })
}

fn image() -> Value {
    json!({ "schemaVersion": 2, "config": descriptor("config"), "layers": [descriptor("one"), descriptor("two")] })
}

fn read(content_type: Option<&str>, document: &Value) -> Result<Manifest, String> {
    parse(content_type, document.to_string().as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn an_image_refers_to_its_config_and_layers() {
    let parsed = read(Some(OCI_MANIFEST), &image()).unwrap();
    assert_eq!(parsed.blobs, [(digest("config"), 6), (digest("one"), 3), (digest("two"), 3)].into());
    assert!(parsed.children.is_empty());
    assert_eq!(parsed.artifact_type.as_deref(), Some("application/octet-stream"));
}

#[test]
fn an_index_refers_to_manifests() {
    let parsed = read(Some(OCI_INDEX), &json!({ "schemaVersion": 2, "manifests": [descriptor("a"), descriptor("b")] })).unwrap();
    assert_eq!(parsed.children, [digest("a"), digest("b")].into());
    assert!(parsed.blobs.is_empty());
}

#[test]
fn a_layer_that_may_not_be_distributed_is_not_asked_for() {
    let mut document = image();
    document["layers"][0]["mediaType"] = json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    document["layers"][0]["urls"] = json!(["https://example.com/layer"]);
    assert!(!read(Some(DOCKER_MANIFEST), &document).unwrap().blobs.contains_key(&digest("one")));
}

#[test]
fn the_media_type_is_taken_from_the_header_or_the_document() {
    let mut document = image();
    assert!(read(None, &document).unwrap_err().contains("media type is missing"));
    document["mediaType"] = json!(OCI_MANIFEST);
    assert_eq!(read(None, &document).unwrap().media_type, OCI_MANIFEST);
    assert_eq!(
        read(Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"), &document).unwrap().media_type,
        OCI_MANIFEST
    );
    assert!(read(Some(DOCKER_MANIFEST), &document).unwrap_err().contains("but the manifest's mediaType is"));
}

#[test]
fn documents_that_are_something_else_are_refused() {
    let check = |media_type: &str, change: &dyn Fn(&mut Value), expected: &str| {
        let mut document = image();
        change(&mut document);
        let error = read(Some(media_type), &document).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check("text/plain", &|_| {}, "is not held here");
    check(OCI_INDEX, &|_| {}, "an index has");
    check(OCI_MANIFEST, &|document| document["manifests"] = json!([]), "an image manifest has");
    check(OCI_MANIFEST, &|document| document["schemaVersion"] = json!(1), "expected 2");
    check(OCI_MANIFEST, &|document| document["config"]["digest"] = json!("sha256:12"), "not valid JSON");
    check(OCI_MANIFEST, &|document| document["layers"][0]["size"] = json!(-1), "not valid JSON");
    check(
        OCI_MANIFEST,
        &|document| {
            document["layers"] =
                json!(vec![document["layers"][0].clone(), json!({"mediaType": "x", "digest": digest("one"), "size": 9})])
        },
        "two different sizes",
    );
}

#[test]
fn lists_that_are_null_are_empty() {
    let image = json!({ "schemaVersion": 2, "config": descriptor("config"), "layers": null });
    assert_eq!(read(Some(OCI_MANIFEST), &image).unwrap().blobs.len(), 1);
    let index = json!({ "schemaVersion": 2, "manifests": null, "artifactType": "" });
    let parsed = read(Some(OCI_INDEX), &index).unwrap();
    assert!(parsed.children.is_empty() && parsed.artifact_type.is_none());
    assert!(read(Some(OCI_MANIFEST), &json!({ "schemaVersion": 2, "config": descriptor("config") })).is_err());
}

#[test]
fn a_type_that_no_header_or_database_would_take_is_refused() {
    for odd in ["a\0b", "a\nb", "é", &"a".repeat(300)] {
        let mut document = image();
        document["artifactType"] = json!(odd);
        assert!(read(Some(OCI_MANIFEST), &document).unwrap_err().contains("is no media type"), "{odd}");
        document["artifactType"] = Value::Null;
        document["config"]["mediaType"] = json!(odd);
        assert!(read(Some(OCI_MANIFEST), &document).unwrap_err().contains("is no media type"), "{odd}");
    }
}

#[test]
fn a_document_that_is_nested_too_deeply_is_refused() {
    let deep = |levels: usize| {
        let mut document = image();
        document["annotations"] = json!({ "harmless": "\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[" });
        let text = document.to_string();
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!("{},\"x\":{open}{close}}}", text.strip_suffix('}').unwrap())
    };
    assert!(parse(Some(OCI_MANIFEST), deep(31).as_bytes()).is_ok());
    for levels in [32, 1_000_000] {
        let error = parse(Some(OCI_MANIFEST), deep(levels).as_bytes()).unwrap_err();
        assert!(error.to_string().contains("more than 32 levels"), "{error}");
    }
}

#[test]
fn the_number_of_references_is_bounded() {
    let layers: Vec<Value> = (0..2000).map(|n| descriptor(&n.to_string())).collect();
    let document = json!({ "schemaVersion": 2, "config": descriptor("config"), "layers": layers });
    assert!(read(Some(OCI_MANIFEST), &document).unwrap_err().contains("more than"));
}
