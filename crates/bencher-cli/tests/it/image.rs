//! `bencher image`.

use std::path::Path;

use bencher_oci::{Layout, Platform};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Reply, World};

/// A registry that has nothing and takes everything.
fn registry() -> World {
    World::new(|asked| match asked.method.as_str() {
        "HEAD" => Reply::text(404, ""),
        "POST" => Reply::text(202, "").header("location", &asked.path),
        "PUT" => Reply::text(201, ""),
        _ => Reply::error(404, "Not Found"),
    })
}

/// A layout with one image of one small layer, under a name.
fn layout(dir: &Path, name: &str) {
    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    let layout = Layout::create(dir).unwrap();
    let write = |kind: &str, document: Value| layout.write_document(kind, document.to_string().as_bytes()).unwrap();
    let blob = |blob: &bencher_oci::BlobRef| json!({ "mediaType": blob.media_type, "digest": blob.digest, "size": blob.size });
    let layer = layout.write_document(LAYER, b"not really a layer").unwrap();
    let config = write(CONFIG, json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] } }));
    let manifest =
        write(MANIFEST, json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": blob(&config), "layers": [blob(&layer)] }));
    layout.tag(&manifest, &Platform::host(), name).unwrap();
}

#[test]
fn an_image_of_a_layout_is_pushed_by_its_name() {
    let world = registry();
    layout(&world.dir.path().join("images"), "shop:v1");
    let ended = world.bencher(&["image", "push", "shop:v1", "--from", "images"]);
    let filters = [("sha256:[0-9a-f]{64}", "sha256:[digest]")];
    insta::with_settings!({ filters => filters }, {
    assert_snapshot!(ended.all(), @r"
    exit 0
    == stdout
    image   shop:v1
    digest  sha256:[digest]
    size    96 B, of which 96 B were sent
    == stderr
    run it with `bencher run --image shop:v1`
    ");
    });
    assert_eq!(world.paths().last().unwrap(), "PUT /v2/shop/manifests/v1");

    let ended = world.bencher(&["image", "push", "shop/fast:v2", "--from", "images", "--format", "json"]);
    assert_eq!((ended.json()["image"].as_str(), ended.stderr.as_str()), (Some("shop/fast:v2"), ""));
    assert_eq!(world.paths().last().unwrap(), "PUT /v2/shop/fast/manifests/v2");
}

#[test]
fn an_image_that_is_not_here_is_told_with_what_to_do() {
    let world = registry();
    let ended = world.bencher(&["image", "push", "shop:v1", "--from", "nothing"]);
    assert_snapshot!(ended.all(), @r"
    exit 7
    == stdout
    == stderr
    error: the image shop:v1 is not on this machine
      cause: nothing is not an OCI image layout: it has no valid `oci-layout` file
      hint: `bencher image push shop:v1 --from DIR` takes it from any OCI layout, such as `skopeo copy … oci:DIR` writes
    ");
    let no_cache = world.bencher(&["image", "push", "shop:v1"]);
    assert_eq!(no_cache.code, Some(7));
    assert!(no_cache.stderr.contains("neither XDG_CACHE_HOME nor HOME"), "{no_cache:?}");
    assert!(world.asked().is_empty());
}

#[test]
fn an_image_of_another_host_is_refused() {
    let world = registry();
    layout(&world.dir.path().join("images"), "shop:v1");
    let ended = world.bencher(&["image", "push", "docker.io/shop:v1", "--from", "images"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("docker.io/shop:v1 is on another host than SERVER"), "{ended:?}");
    assert!(world.asked().is_empty());
}

#[test]
fn a_registry_that_refuses_is_told_as_a_refusal() {
    let world = World::new(|asked| match asked.method.as_str() {
        "HEAD" => Reply::text(404, ""),
        _ => Reply::new(403, json!({ "errors": [{ "code": "DENIED", "message": "not your project" }] })),
    });
    layout(&world.dir.path().join("images"), "shop:v1");
    let ended = world.bencher(&["image", "push", "shop:v1", "--from", "images", "--key", "bencher_user_x"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("not your project"), "{ended:?}");
}
