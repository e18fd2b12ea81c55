//! `bencher image`.

use std::{fs, path::Path};

use bencher_oci::{Layout, Limits, Platform};
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
    size    96 B, of which 96 B were sent
    digest  sha256:[digest]
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
    error: the image nothing is not on this machine
      cause: nothing is not an OCI image layout: it has no valid `oci-layout` file
      hint: --from takes it from anywhere: a layout, an archive of `docker save`, engine:NAME, another registry; see `bencher image push --help`
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

/// A small dynamic program that every machine has.
const PROGRAM: &str = "/bin/true";

#[test]
fn a_program_is_built_with_its_libraries_and_the_same_digest_every_time() {
    let world = registry();
    let build = |output: &str, args: &[&str]| {
        let args = [&["image", "build", "--tag", "shop:v1", PROGRAM, "--output", output, "--format", "json"], args].concat();
        world.bencher(&args).json()
    };
    let first = build("a", &[]);
    let libraries = first["libraries"].as_array().unwrap();
    assert!(libraries.iter().any(|path| path.as_str().unwrap().contains("libc.so")), "{first}");
    assert_eq!(first["digest"], build("b", &[])["digest"]);
    assert_ne!(first["digest"], build("c", &["--cmd", "--version"])["digest"]);
    assert!(world.asked().is_empty());
}

#[test]
fn what_was_said_of_the_image_is_in_its_configuration() {
    let world = registry();
    fs::write(world.dir.path().join("corpus"), "data").unwrap();
    let ended = world.bencher(&[
        "image",
        "build",
        "-t",
        "shop/fast",
        PROGRAM,
        "-o",
        "out",
        "--add",
        "corpus:/data/",
        "--entrypoint",
        "/usr/local/bin/true",
        "--entrypoint",
        "-v",
        "--cmd",
        "server",
        "--cmd=version",
        "--env",
        "A=b=c",
        "--workdir",
        "/data",
        "--user",
        "1000:1000",
        "--label",
        "a.b=c",
    ]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("push it with `bencher image push shop/fast`"), "{ended:?}");

    let layout = Layout::open(&world.dir.path().join("out")).unwrap();
    let image = layout.resolve(Some("shop/fast:latest"), &Platform::host(), &Limits::default()).unwrap();
    let config = serde_json::to_value(&image.config).unwrap();
    let config = &config["config"];
    assert_eq!(config["Entrypoint"], json!(["/usr/local/bin/true", "-v"]));
    assert_eq!(config["Cmd"], json!(["server", "version"]));
    assert!(config["Env"].as_array().unwrap().contains(&json!("A=b=c")), "{config}");
    assert_eq!((&config["WorkingDir"], &config["User"]), (&json!("/data"), &json!("1000:1000")));
    assert_eq!(config["Labels"], json!({ "a.b": "c" }));
}

#[test]
fn one_command_builds_and_pushes_and_the_cache_remembers() {
    let world = registry();
    let home = world.dir.path().join("cache");
    fs::create_dir(world.dir.path().join("root")).unwrap();
    fs::write(world.dir.path().join("root/file"), "1").unwrap();
    let bencher = |args: &[&str]| world.end(world.command(args).env("XDG_CACHE_HOME", &home).output().unwrap());

    let built = bencher(&["image", "build", "--tag", "shop:v1", "root", "--push", "--format", "json"]).json();
    assert_eq!((&built["pushed"], &built["libraries"]), (&json!(true), &json!([])));
    assert_eq!(world.paths().last().unwrap(), "PUT /v2/shop/manifests/v1");

    fs::write(world.dir.path().join("root/file"), "2").unwrap();
    let rebuilt = bencher(&["image", "build", "--tag", "shop:v1", "root", "--format", "json"]).json();
    assert_ne!(rebuilt["digest"], built["digest"]);
    let pushed = bencher(&["image", "push", "shop:v1", "--format", "json"]).json();
    assert_eq!(pushed["digest"], rebuilt["digest"]);
    // The image that was replaced leaves nothing behind.
    assert_eq!(fs::read_dir(home.join("bencher/images")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(home.join("bencher/images/shop@v1/blobs/sha256")).unwrap().count(), 3);
}

#[test]
fn what_is_no_program_cannot_become_one() {
    let world = registry();
    fs::write(world.dir.path().join("text"), "#!/bin/sh\n").unwrap();
    let ended = world.bencher(&["image", "build", "--tag", "shop:v1", "text", "--output", "out"]);
    assert_eq!(ended.code, Some(7));
    assert!(
        ended.stderr.starts_with("error: could not make the image shop:v1\n  cause: text is not an ELF program"),
        "{ended:?}"
    );
    let ended = world.bencher(&["image", "build", "--tag", "shop:v1", PROGRAM, ".", "--output", "out"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
}
