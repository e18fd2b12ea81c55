//! `bencher auth docker`: the file that container tools share.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    process::{Child, Stdio},
};

use serde_json::{Value, json};

use crate::support::{Reply, World};

/// Enough processes that some of them change the file at once.
const PROCESSES: usize = 8;

fn server() -> World {
    World::new(|_| {
        let user = json!({
            "uuid": "00000000-0000-4000-8000-000000000001", "name": "Ada", "slug": "ada", "email": "ada@example.com",
            "admin": false, "locked": false,
        });
        Reply::ok(json!({ "user": user }))
    })
}

fn log_in(world: &World, file: &str) -> Child {
    let mut command = world.command(&["auth", "docker", "--key", "bencher_user_x", "--file", file]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn read(world: &World, file: &str) -> Value {
    serde_json::from_slice(&fs::read(world.dir.path().join(file)).unwrap()).unwrap()
}

#[test]
fn processes_that_log_in_at_once_lose_no_entry_and_none_of_what_others_wrote() {
    let worlds: Vec<World> = (0..PROCESSES).map(|_| server()).collect();
    let dir = worlds[0].dir.path();
    // As docker and podman write it, with what this program does not know.
    let before = json!({
        "auths": { "quay.io": { "auth": "eDp5", "identitytoken": "t", "unknown": { "deep": [1, null] } } },
        "credHelpers": { "gcr.io": "gcloud" },
        "HttpHeaders": { "User-Agent": "x" },
        "plugins": { "compose": { "big": 12345678901234567890_u64 } },
    });
    fs::write(dir.join("config.json"), before.to_string()).unwrap();
    fs::set_permissions(dir.join("config.json"), fs::Permissions::from_mode(0o644)).unwrap();
    let file = dir.join("config.json").display().to_string();
    let children: Vec<Child> = worlds.iter().map(|world| log_in(world, &file)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let after = read(&worlds[0], "config.json");
    for world in &worlds {
        assert!(after["auths"][world.address()]["auth"].is_string(), "{} is lost: {after:#}", world.address());
    }
    assert_eq!(after["auths"].as_object().unwrap().len(), PROCESSES + 1);
    assert_eq!(after["auths"]["quay.io"], before["auths"]["quay.io"]);
    for kept in ["credHelpers", "HttpHeaders", "plugins"] {
        assert_eq!(after[kept], before[kept]);
    }
    let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("config.json"), mode("config.json.lock")), (0o600, 0o600));
    let mut left: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["config.json", "config.json.lock"], "nothing half-written is left");
}

#[test]
fn a_file_that_is_a_link_stays_one() {
    let world = server();
    let dir = world.dir.path();
    fs::create_dir(dir.join("settings")).unwrap();
    fs::write(dir.join("settings/docker.json"), "{}").unwrap();
    symlink("settings/docker.json", dir.join("config.json")).unwrap();
    assert!(log_in(&world, "config.json").wait_with_output().unwrap().status.success());
    assert!(fs::symlink_metadata(dir.join("config.json")).unwrap().is_symlink());
    assert!(read(&world, "settings/docker.json")["auths"][world.address()].is_object());
}
