//! Commands that need no server, and which server the others ask.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Ended, Reply, World};

/// `bencher` without an address, so that only a profile can know one.
fn with_profile(world: &World, args: &[&str]) -> Ended {
    let mut command = world.command(args);
    command.env_remove("BENCHER_HOST").env("BENCHER_CONFIG_FILE", world.dir.path().join("config.toml"));
    world.end(command.output().unwrap())
}

fn version_and(identity: &Value) -> World {
    let identity = identity.clone();
    World::new(move |asked| match asked.path.as_str() {
        "/v0/server/version" => Reply::ok(json!({ "version": "0.6.12", "product_version": "0.1.0" })),
        _ => Reply::ok(identity.clone()),
    })
}

fn ada() -> Value {
    json!({ "user": {
        "uuid": "00000000-0000-4000-8000-000000000001", "name": "Ada", "slug": "ada", "email": "ada@example.com", "admin": true,
        "locked": false
    } })
}

#[test]
fn a_profile_says_which_server_and_as_whom_and_which_project() {
    let world = version_and(&ada());
    let host = format!("http://{}", world.address());
    let set = ["profile", "set", "home", "--host", &host, "--key", "bencher_user_k", "--project", "shop"];
    assert_eq!(with_profile(&world, &set).stderr, "profile `home` is set\n");

    let status = with_profile(&world, &["status", "--format", "json"]).json();
    assert_eq!((status["profile"].as_str(), status["credential"].as_str()), (Some("home"), Some("key")));
    assert_eq!(world.asked().last().unwrap().authorization.as_deref(), Some("Bearer bencher_user_k"));

    let dry = with_profile(&world, &["run", "--dry-run", "--format", "json", "--adapter", "json", "echo '{}'"]);
    assert_eq!(dry.json()["project"], "shop", "{dry:?}");
}

#[test]
fn a_credential_of_a_profile_does_not_travel_to_another_server() {
    let world = version_and(&json!({}));
    with_profile(&world, &["profile", "set", "work", "--host", "https://bench.example.com", "--key", "bencher_user_k"]);
    let host = format!("http://{}", world.address());
    let status = with_profile(&world, &["status", "--format", "json", "--host", &host]);
    assert_eq!(status.json()["profile"], Value::Null, "{status:?}");
    assert!(world.asked().iter().all(|asked| asked.authorization.is_none()));
}

#[test]
fn profiles_are_listed_without_their_secrets() {
    let world = World::always(500, json!({}));
    with_profile(&world, &["profile", "set", "work", "--host", "https://bench.example.com", "--key", "bencher_user_secret"]);
    with_profile(&world, &["profile", "set", "home", "--host", "http://localhost:6610"]);
    assert_snapshot!(with_profile(&world, &["profile", "list"]).all(), @r"
    exit 0
    == stdout
    NAME  DEFAULT  HOST                        CREDENTIAL  PROJECT
    home           http://localhost:6610/      -           -
    work  yes      https://bench.example.com/  key         -
    == stderr
    ");
    let list = with_profile(&world, &["profile", "list", "--format", "json"]);
    assert_eq!(list.json()[1]["default"], true);
    assert!(!list.stdout.contains("secret"));
    let ended = with_profile(&world, &["--profile", "wrok", "project", "list"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.ends_with("there are: home, work\n"), "{ended:?}");
    assert!(world.asked().is_empty());
}

#[test]
fn a_profile_that_others_can_read_is_warned_about() {
    let world = version_and(&ada());
    let host = format!("http://{}", world.address());
    with_profile(&world, &["profile", "set", "home", "--host", &host, "--key", "bencher_user_k"]);
    assert!(!with_profile(&world, &["status"]).stderr.contains("warning"));
    fs::set_permissions(world.dir.path().join("config.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(with_profile(&world, &["status"]).stderr.starts_with("warning: others on this machine can read"));
}

#[test]
fn status_says_who_and_where_and_whether_the_server_is_well() {
    let world = version_and(&ada());
    let ended = world.bencher(&["status", "--key", "bencher_user_k"]);
    insta::with_settings!({ filters => [("answers in [0-9]+ ms", "answers in [n] ms")] }, {
        assert_snapshot!(ended.all(), @r"
        exit 0
        == stdout
        host        http://SERVER/
        server      well; version 0.1.0, speaks 0.6.12, answers in [n] ms
        you         Ada <ada@example.com>, an admin of the server
        credential  key
        profile     -
        project     -
        == stderr
        ");
    });
    let refused = World::always(401, json!({ "request_id": "x", "message": "the key has expired" }));
    assert_eq!(refused.bencher(&["status", "--key", "bencher_user_k"]).code, Some(3));
}

#[test]
fn a_mock_is_what_run_understands_and_fails_when_asked_to() {
    let world = World::always(500, json!({}));
    let first = world.bencher(&["mock", "--seed", "7", "--count", "2", "--measure", "throughput", "--pow", "3"]);
    assert_eq!(first.json()["bencher::mock_1"]["throughput"].as_object().unwrap().len(), 3);
    let again = world.bencher(&["mock", "--seed", "7", "--count", "2", "--measure", "throughput", "--pow", "3"]);
    assert_eq!(first.stdout, again.stdout);
    let failed = world.bencher(&["mock", "--fail"]);
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""));
    let codes: Vec<_> = (0..16).map(|seed| world.bencher(&["mock", "--flaky", "--seed", &seed.to_string()]).code).collect();
    assert!(codes.contains(&Some(0)) && codes.contains(&Some(1)), "{codes:?}");
}

#[test]
fn noise_is_reported_in_the_format_of_benchmarks() {
    let world = World::always(500, json!({}));
    let noise = world.bencher(&["noise", "--duration", "1", "--quiet", "--format", "json"]).json();
    for measure in ["compute-jitter", "cache-jitter", "io-jitter", "noise-score"] {
        assert!(noise["bencher::noise"][measure]["value"].as_f64().unwrap() >= 0.0, "{noise}");
    }
    let ended = world.bencher(&["noise", "--duration", "1", "--folder", "/nowhere"]);
    assert_eq!(ended.code, Some(7));
    assert!(ended.stderr.starts_with("error: could not use the folder /nowhere\n"), "{ended:?}");
}

#[test]
fn every_command_has_a_manual_page() {
    let world = World::always(500, json!({}));
    let ended = world.bencher(&["man", "pages/man1"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let page = |name: &str| fs::read_to_string(world.dir.path().join("pages/man1").join(name)).unwrap();
    assert!(page("bencher.1").contains("exit codes") || page("bencher.1").contains("Exit codes"));
    assert!(page("bencher-image-push.1").contains("OCI"));
}

#[test]
fn the_reference_in_the_documentation_is_what_the_commands_say_of_themselves() {
    let world = World::always(500, json!({}));
    let written = world.dir.path().join("cli");
    assert_eq!(world.bencher(&["man", "--markdown", "cli"]).code, Some(0));
    let documented = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli");
    let pages = |folder: &Path| -> BTreeMap<String, String> {
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        files.map(|file| (file.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(file).unwrap())).collect()
    };
    if std::env::var_os("BENCHER_BLESS").is_some() {
        fs::remove_dir_all(&documented).unwrap();
        world.bencher(&["man", "--markdown", documented.to_str().unwrap()]);
    }
    let (written, documented) = (pages(&written), pages(&documented));
    assert_eq!(written.keys().collect::<Vec<_>>(), documented.keys().collect::<Vec<_>>());
    for (name, page) in &written {
        assert!(documented[name] == *page, "docs/cli/{name} is not what `bencher` says: run `cargo xtask bless`");
    }
}

#[test]
fn the_runner_of_this_machine_is_handed_its_arguments() {
    let world = World::always(500, json!({}));
    // `runner` is looked for beside `bencher`: a folder with the real `bencher` and a `runner` that says what it was given.
    let bin = world.dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_bencher"), bin.join("bencher")).unwrap();
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(bin.join("bencher"));
        world.end(command.args(args).env("PATH", "").output().unwrap())
    };
    let ended = run(&["runner", "status", "--format", "json"]);
    assert_eq!(ended.code, Some(7));
    assert!(ended.stderr.ends_with("hint: install `runner` beside `bencher` or on the PATH\n"), "{ended:?}");

    symlink(Path::new("/bin/echo"), bin.join("runner")).unwrap();
    assert_eq!(run(&["runner", "cache", "clear", "--yes"]).stdout, "cache clear --yes\n");
    assert_eq!(run(&["runner", "start", "--help"]).stdout, "up --help\n");
}

#[test]
fn a_registry_log_in_is_written_where_container_tools_look() {
    let world = version_and(&ada());
    let login = |file: &str| world.bencher(&["auth", "docker", "--file", file, "--key", "bencher_user_k"]);
    let ended = login("docker/config.json");
    assert_eq!(ended.stderr, "ada@example.com is logged in to SERVER, in docker/config.json\n", "{ended:?}");
    let config: Value = serde_json::from_slice(&fs::read(world.dir.path().join("docker/config.json")).unwrap()).unwrap();
    // base64 of `ada@example.com:bencher_user_k`
    assert_eq!(config["auths"][world.address()]["auth"], "YWRhQGV4YW1wbGUuY29tOmJlbmNoZXJfdXNlcl9r");
    assert_eq!(world.bencher(&["auth", "docker", "--file", "x"]).code, Some(2));
}

#[test]
fn images_of_a_project_are_listed_and_deleted_by_name() {
    let image = json!({
        "repository": "shop/http", "tag": "v1", "digest": format!("sha256:{}", "0".repeat(64)), "media_type": "x/y", "size": 2048,
        "created": "2026-01-02T03:04:05Z", "modified": "2026-01-02T03:04:05Z"
    });
    let world = World::new(move |asked| match asked.method.as_str() {
        "DELETE" => Reply::text(202, ""),
        _ => Reply::ok(json!([image])),
    });
    let list = world.bencher(&["image", "list", "shop", "--search", "htt"]);
    assert!(list.stdout.contains("shop/http:v1  2 KiB"), "{list:?}");
    assert_eq!(world.bencher(&["image", "delete", "shop/http:v1"]).stderr, "deleted shop/http:v1\n");
    assert_eq!(world.paths(), ["GET /v0/projects/shop/images?search=htt", "DELETE /v2/shop/http/manifests/v1"]);
}
