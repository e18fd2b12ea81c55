//! `bencher image` between places that need no server, and what it makes of a base, a clone and a description.

use std::{fs, io::Write as _, process::Stdio};

use serde_json::{Value, json};

use crate::support::{Ended, Reply, World};

/// A small dynamic program that every machine has.
const PROGRAM: &str = "/bin/true";

/// A server that must not be asked, and a cache below the working folder.
pub(crate) struct Offline {
    pub world: World,
}

impl Offline {
    pub(crate) fn new() -> Self {
        Self { world: World::new(|_| Reply::error(500, "nobody asks")) }
    }

    pub(crate) fn run(&self, args: &[&str], env: &[(&str, &str)], stdin: &[u8]) -> Ended {
        let mut command = self.world.command(args);
        command.env("XDG_CACHE_HOME", self.world.dir.path().join("cache")).envs(env.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that does not read ends before everything was written.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        self.world.end(child.wait_with_output().unwrap())
    }

    pub(crate) fn bencher(&self, args: &[&str]) -> Ended {
        self.run(args, &[], b"")
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ended = self.bencher(&[args, &["--format", "json"]].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.json()
    }

    pub(crate) fn file(&self, name: &str, content: &str) {
        let path = self.world.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.world.dir.path().join(name).exists()
    }

    pub(crate) fn build(&self, args: &[&str]) -> Value {
        self.json(&[&["image", "build", "--tag", "shop:v1"], args].concat())
    }
}

#[test]
fn an_image_keeps_its_digest_from_layout_to_archive_and_back() {
    let here = Offline::new();
    let digest = here.build(&[PROGRAM, "--output", "one"])["digest"].clone();
    assert_eq!(here.json(&["image", "copy", "oci:one", "oci-archive:a.tar"])["digest"], digest);
    assert_eq!(here.json(&["image", "copy", "./a.tar", "oci:two"])["digest"], digest);
    let mut to_stdout = here.world.command(&["image", "copy", "oci:two", "-"]);
    let archive = to_stdout.env("XDG_CACHE_HOME", here.world.dir.path().join("cache")).output().unwrap().stdout;
    assert_eq!(archive, fs::read(here.world.dir.path().join("a.tar")).unwrap(), "nothing but the archive");
    let from_stdin = here.run(&["image", "copy", "-", "oci:three", "--format", "json"], &[], &archive);
    assert_eq!(from_stdin.json()["digest"], digest);
    let viewed = here.json(&["image", "view", "oci:three:shop:v1"]);
    assert_eq!(viewed["digest"], digest);
    assert_eq!(viewed["shown"]["image"]["entrypoint"], json!(["/usr/local/bin/true"]));
    let shown = here.bencher(&["image", "view", "oci:three", "--format", "human"]);
    assert!(shown.stdout.trim_end().ends_with(digest.as_str().unwrap()), "the digest is last: {shown:?}");

    here.json(&["image", "copy", "oci:one", "docker-archive:d.tar"]);
    assert_eq!(here.json(&["image", "view", "docker-archive:d.tar:shop:v1"])["shown"]["layers"].as_array().unwrap().len(), 1);
    assert!(!here.has(".a.tar.unfinished") && !here.has(".d.tar.unfinished"));
    assert_eq!(fs::read_dir(here.world.dir.path().join("cache/bencher/transfers")).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn what_cannot_be_read_is_one_error_and_leaves_nothing() {
    let here = Offline::new();
    here.build(&[PROGRAM, "--output", "one"]);
    here.json(&["image", "copy", "oci:one", "oci-archive:a.tar"]);
    let whole = fs::read(here.world.dir.path().join("a.tar")).unwrap();
    fs::write(here.world.dir.path().join("cut.tar"), &whole[..whole.len() / 2]).unwrap();
    here.file("folder/file", "1");
    for (from, to, expected) in [
        ("./cut.tar", "oci:new", "it may have been cut short"),
        ("./missing.tar", "oci:new", "is not an OCI image layout"),
        ("oci:one:v9", "oci:new", "there is no image `v9` in one; it has shop:v1"),
        ("oci:one", "oci:folder", "folder is not an OCI image layout"),
    ] {
        let ended = here.bencher(&["image", "copy", from, to]);
        assert_eq!(ended.code, Some(7), "{ended:?}");
        assert!(ended.stderr.contains(expected), "{expected}: {ended:?}");
    }
    let ended = here.bencher(&["image", "copy", "oci:one", "./b.tar", "--platform", "linux/riscv64"]);
    assert!(ended.stderr.contains("this host is linux/riscv64"), "{ended:?}");
    assert!(!here.has("b.tar") && !here.has(".b.tar.unfinished"), "nothing is half-done");
}

#[test]
fn another_registry_that_does_not_answer_is_named_in_the_hint_and_this_server_is_not() {
    let here = Offline::new();
    // A port on which nobody listens any more.
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    drop(held);
    let ended = here.bencher(&["image", "pull", &format!("http://{address}/shop/x:v1"), "oci:new"]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stderr.contains(&format!("does {address} run a registry")) && !ended.stderr.contains("--host"), "{ended:?}");
}

#[test]
fn an_engine_that_is_not_there_is_told_with_what_to_do() {
    let here = Offline::new();
    let socket = here.world.dir.path().join("no.sock");
    let at = format!("unix://{}", socket.display());
    let ended = here.run(&["image", "copy", "engine:shop:v1", "oci:new"], &[("DOCKER_HOST", &at)], b"");
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stderr.contains("could not reach the container engine at") && ended.stderr.contains("no.sock"), "{ended:?}");
    let ended = here.run(&["image", "copy", "engine:shop:v1", "oci:new"], &[("DOCKER_HOST", "ssh://box")], b"");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("DOCKER_HOST is `ssh://box`: expected unix:///PATH or tcp://HOST:PORT"), "{ended:?}");
}

#[test]
fn an_image_goes_on_top_of_a_base_and_says_what_the_base_does_not() {
    let here = Offline::new();
    here.file("root/bin/run", "#!/bin/sh\n");
    here.build(&["root", "--output", "base", "--env", "A=base", "--env", "B=base", "--cmd", "x", "--label", "from=base"]);
    here.file("data", "1");
    let build = |output: &str| {
        here.build(&[
            "--base",
            "oci:base",
            "--file",
            "data:/bin/data",
            "--env",
            "A=own",
            "--entrypoint",
            "/bin/run",
            "--output",
            output,
        ])
    };
    let built = build("one");
    assert_eq!(built["digest"], build("two")["digest"], "the same input has the same digest");
    let viewed = here.json(&["image", "view", "oci:one"]);
    let image = &viewed["shown"]["image"];
    assert_eq!(viewed["shown"]["layers"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&image["entrypoint"], &image["cmd"]),
        (&json!(["/bin/run"]), &json!([])),
        "the base's command is for its entrypoint"
    );
    let env: Vec<_> = image["env"].as_array().unwrap().iter().filter(|one| !one.to_string().contains("PATH=")).collect();
    assert_eq!(env, [&json!("B=base"), &json!("A=own")]);
    assert_eq!(image["labels"]["from"], "base");
    assert_eq!(fs::read_dir(here.world.dir.path().join("one/blobs/sha256")).unwrap().count(), 4, "what was on the way is gone");
}

#[test]
fn several_platforms_become_one_image() {
    let here = Offline::new();
    for arch in ["amd64", "arm64"] {
        here.file(&format!("bin-{arch}"), arch);
    }
    here.file("root/etc/name", "shop");
    let args =
        ["root", "--platform", "linux/amd64", "--platform", "linux/arm64", "--add", "bin-{arch}:/bin/own", "--output", "out"];
    let built = here.build(&args);
    assert_eq!(built["platform"], "linux/amd64, linux/arm64");
    let viewed = here.json(&["image", "view", "oci:out", "--platform", "linux/arm64"]);
    assert_eq!(viewed["digest"], built["digest"]);
    assert_eq!(viewed["platforms"].as_array().unwrap().len(), 2);
    assert_eq!(viewed["shown"]["image"]["platform"], "linux/arm64");
    let one = here.json(&["image", "copy", "oci:out", "oci:arm", "--platform", "linux/arm64"]);
    assert_eq!(one["digest"], viewed["shown"]["digest"]);

    let again = [&args[..], &["--platform", "linux/arm64"]].concat();
    let ended = here.bencher(&[&["image", "build", "--tag", "shop:v1"], &again[..]].concat());
    assert!(ended.stderr.contains("two of the images are for linux/arm64"), "{ended:?}");
}

/// A repository with a commit on `main`, tagged `v1`, and one more on the branch `next`.
pub(crate) fn repository(here: &Offline) {
    here.file("repo/source", "one\n");
    here.file("repo/bencher-image.yaml", "spec:\n  command: [/bench]\n  timeout: 5m\n");
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"]);
        let output = command.arg("-C").arg(here.world.dir.path().join("repo")).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "one"]);
    git(&["tag", "v1"]);
    git(&["checkout", "--quiet", "-b", "next"]);
    here.file("repo/source", "two\n");
    git(&["commit", "--quiet", "-am", "two"]);
    git(&["checkout", "--quiet", "main"]);
}

#[test]
fn a_clone_is_set_up_and_what_comes_of_it_is_the_same_every_time() {
    let here = Offline::new();
    repository(&here);
    let build = |git: &str, output: &str| {
        here.build(&[
            "root",
            "--git",
            git,
            "--setup",
            "mkdir root && tr a-z A-Z < source > root/built; echo done",
            "--setup-on-host",
            "--output",
            output,
        ])
    };
    let (one, two) = (build("./repo#v1", "one"), build("./repo#main", "two"));
    assert_eq!(one["digest"], two["digest"]);
    assert_ne!(build("./repo#next", "three")["digest"], one["digest"]);
    let labels = &here.json(&["image", "view", "oci:one"])["shown"]["image"]["labels"];
    assert_eq!(labels["org.opencontainers.image.source"], "./repo");
    assert_eq!(labels["org.opencontainers.image.revision"].as_str().unwrap().len(), 40);
    assert_eq!(labels["dev.bencher.image"], "spec:\n  command: [/bench]\n  timeout: 5m\n");
    // The same clone with its source alone.
    let whole = here.build(&[".", "--git", "./repo", "--output", "four"]);
    assert_eq!(whole["pushed"], false);
}

#[test]
fn a_clone_that_cannot_be_made_or_set_up_is_told() {
    let here = Offline::new();
    repository(&here);
    for (git, setup, expected) in [
        ("./nothing", "true", "could not clone ./nothing"),
        ("./repo#v9", "true", "there is no branch, tag or commit `v9` in ./repo"),
        ("./repo", "exit 3", "the command that was to set the clone up failed: exit 3"),
    ] {
        let ended = here.bencher(&[
            "image",
            "build",
            "-t",
            "shop:v1",
            ".",
            "--git",
            git,
            "--setup",
            setup,
            "--setup-on-host",
            "-o",
            "out",
        ]);
        assert_eq!(ended.code, Some(7), "{ended:?}");
        assert!(ended.stderr.contains(expected), "{ended:?}");
        assert!(!here.has("out"));
    }
    assert_eq!(fs::read_dir(here.world.dir.path().join("cache/bencher/transfers")).unwrap().count(), 0);
}

#[test]
fn a_description_with_a_mistake_is_told_with_its_line() {
    let here = Offline::new();
    here.file("bench.yaml", "spec:\n  command: [/bench]\n  timeout: soon\n");
    here.file("root/file", "");
    let ended = here.bencher(&["image", "build", "-t", "shop:v1", "root", "--config", "bench.yaml", "-o", "out"]);
    assert_eq!(ended.code, Some(7), "{ended:?}");
    assert!(ended.stderr.contains("bench.yaml does not describe a benchmark"), "{ended:?}");
    assert!(
        ended.stderr.contains("spec.timeout: `soon` is not valid") && ended.stderr.contains("at line 3 column 12"),
        "{ended:?}"
    );
}
