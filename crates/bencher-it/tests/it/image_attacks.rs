//! What becomes of images when their way is interrupted: killed commands, full disks, several at once.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use serde_json::json;

use crate::support::{PROJECT, World, binary, child, image, text, until};

/// Bytes of the images that are interrupted on their way: enough to be there for a while.
const FILLER: usize = 24 << 20;
/// How often a way is interrupted.
const KILLS: u64 = 8;

/// Bytes of all files below a folder.
fn held(dir: &Path) -> u64 {
    let mut open = vec![dir.to_owned()];
    let mut sum = 0;
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => open.push(entry.path()),
                Ok(meta) => sum += meta.len(),
                Err(_) => {}
            }
        }
    }
    sum
}

/// Starts a command again and again, and kills it each time when a folder holds more than before, so that every kill is at another
/// point of its way. Ends early where the command was quicker.
async fn kill_on_the_way(world: &World, command: &[&str], growing: &Path) {
    let before = held(growing);
    for kill in 1..=KILLS {
        let enough = held(growing).max(before + kill * (FILLER as u64) / (KILLS + 1));
        let mut child = world.spawn_bencher(command);
        let ended = until("the command is on its way", async || {
            let ended = child.try_wait().expect("it can be asked for").is_some();
            (ended || held(growing) > enough).then_some(ended)
        })
        .await;
        if ended {
            return;
        }
        child.kill().await.expect("it is killed");
    }
}

async fn digest_of(world: &World, place: &str) -> String {
    text(&world.bencher(&["image", "view", place, "--format", "json"]).await.json(), "digest")
}

/// Whether every blob of a layout is what it is called.
async fn is_sound(world: &World, layout: &str) {
    let copied = world.bencher(&["image", "copy", layout, "oci-archive:checked.tar", "--format", "json"]).await;
    copied.done();
    fs::remove_file(world.path().join("checked.tar")).expect("the archive was written");
}

#[tokio::test]
async fn a_pull_that_is_killed_anywhere_goes_on_and_becomes_whole() {
    let Some(world) = World::start().await else { return };
    let image = world.push("large", image::architecture(), FILLER).await;
    let digest = digest_of(&world, &image).await;
    for (to, growing) in [("oci:layout", "layout"), ("oci-archive:a.tar", ".a.tar.unfinished")] {
        let pull = ["image", "pull", &image, to, "--format", "json"];
        kill_on_the_way(&world, &pull, &world.path().join(growing)).await;
        let pulled = world.bencher(&pull).await.json();
        assert_eq!(text(&pulled, "digest"), digest, "{to}");
        assert_eq!(digest_of(&world, to).await, digest, "{to}");
        is_sound(&world, to).await;
        // Nothing of the killed ones is left beside it.
        assert!(held(&world.path().join("layout")) < (FILLER as u64) * 3 / 2);
    }
    assert!(!world.path().join(".a.tar.unfinished").exists());
}

#[tokio::test]
async fn a_push_that_is_killed_anywhere_goes_on_and_becomes_whole() {
    let Some(world) = World::start().await else { return };
    let image = world.push("large", image::architecture(), FILLER).await;
    let pushed = format!("{PROJECT}/pushed:v1");
    let built = ["image", "build", "-t", &pushed, "--base", &image, "--add", "noise:/noise"];
    let mut noise = File::create(world.path().join("noise")).expect("it is made");
    let random = File::open("/dev/urandom").expect("randomness");
    io::copy(&mut random.take(FILLER as u64), &mut noise).expect("it is written");
    let digest = text(&world.bencher(&[&built[..], &["--format", "json"]].concat()).await.json(), "digest");
    let push = ["image", "push", &pushed, "--format", "json"];
    let blobs = world.path().join("server/blobs");
    kill_on_the_way(&world, &push, &blobs).await;
    assert_eq!(text(&world.bencher(&push).await.json(), "digest"), digest);
    assert_eq!(text(&world.bencher(&["image", "pull", &pushed, "oci:back", "--format", "json"]).await.json(), "digest"), digest);
    is_sound(&world, "oci:back").await;
}

#[tokio::test]
async fn several_pulls_to_one_place_do_not_harm_each_other() {
    let Some(world) = World::start().await else { return };
    let image = world.push("large", image::architecture(), FILLER / 4).await;
    let digest = digest_of(&world, &image).await;
    for to in ["oci:layout", "oci-archive:a.tar"] {
        let pulls: Vec<_> = (0..4).map(|_| world.spawn_bencher(&["image", "pull", &image, to])).collect();
        for pull in pulls {
            let output = pull.wait_with_output().await.expect("it ends");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
        }
        assert_eq!(digest_of(&world, to).await, digest, "{to}");
        is_sound(&world, to).await;
    }
    assert!(!world.path().join(".a.tar.unfinished").exists());
}

#[tokio::test]
async fn a_pull_to_a_full_disk_says_so_and_goes_on_when_there_is_room() {
    let Some(world) = World::start().await else { return };
    let image = world.push("large", image::architecture(), FILLER).await;
    let small = world.path().join("small");
    fs::create_dir(&small).expect("the folder is made");
    // In a mount namespace of its own, which ends with the commands.
    let script = "mount -t tmpfs -o size=8m tmpfs small
        code=0; \"$@\" 2>said || code=$?
        echo \"$code\" > code
        ls -A small > left
        mount -o remount,size=64m small
        \"$@\"
        ls -A small >> left";
    let pull = |to: &'static str| {
        let mut command = child::owned(Path::new("unshare"));
        command.args(["--mount", "sh", "-euc", script, "sh"]).arg(binary("bencher"));
        command.args(["image", "pull", &image, to, "--format", "json"]).current_dir(world.path());
        command.env("BENCHER_HOST", &world.url).env("BENCHER_API_KEY", &world.key).env("HOME", world.path());
        command.env("XDG_CACHE_HOME", world.path().join("cache")).stdout(std::process::Stdio::piped());
        command
    };
    let digest = digest_of(&world, &image).await;
    let read = |name: &str| fs::read_to_string(world.path().join(name)).expect("it was written");
    for (to, left) in [("oci:small/layout", "layout\nlayout\n"), ("oci-archive:small/a.tar", "a.tar\n")] {
        let output = pull(to).output().await.expect("it ends");
        assert!(output.status.success(), "{}", read("said"));
        assert_eq!(read("code").trim(), "7", "{}", read("said"));
        assert!(read("said").to_lowercase().contains("no space left"), "{}", read("said"));
        assert_eq!(read("left"), left, "{to}");
        let pulled: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(pulled["digest"], json!(digest));
    }
    assert_eq!(fs::read_dir(small).expect("the folder is there").count(), 0, "nothing is mounted outside");
}
