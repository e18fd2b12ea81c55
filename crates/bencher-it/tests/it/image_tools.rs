//! Images through the command line, with the real server and real tools: skopeo's layouts and archives, podman's engine, and what
//! a runner makes of an image that describes its benchmark.

use std::{path::Path, process::Command};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{PROJECT, World, child::Child, text, until};

/// Runs a program; what it printed.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Whether a program is here; where it has to be and is not, the test fails.
#[expect(clippy::print_stdout, reason = "whoever runs the tests has to see that one did nothing")]
pub(crate) fn has(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    assert!(there || std::env::var_os("BENCHER_TEST_REQUIRE").is_none(), "this test cannot run: it needs {program}");
    if !there {
        println!("not run: it needs {program}");
    }
    there
}

async fn json(world: &World, arguments: &[&str]) -> Value {
    world.bencher(&[arguments, &["--format", "json"]].concat()).await.json()
}

#[tokio::test]
async fn an_image_goes_from_place_to_place_and_keeps_its_digest() {
    let Some(world) = World::start().await else { return };
    let image = world.push_busybox("bench").await;
    let pulled = json(&world, &["image", "pull", &image, "oci:layout"]).await;
    let digest = text(&pulled, "digest");
    assert_eq!(text(&json(&world, &["image", "view", &image]).await, "digest"), digest);

    let archive = json(&world, &["image", "copy", "oci:layout", "oci-archive:a.tar"]).await;
    assert_eq!(text(&archive, "digest"), digest);
    let again = format!("{PROJECT}/again:v1");
    assert_eq!(text(&json(&world, &["image", "push", &again, "--from", "a.tar"]).await, "digest"), digest);
    assert_eq!(json(&world, &["image", "tags", &format!("{PROJECT}/again")]).await, json!(["v1"]));

    // Within one server nothing is sent.
    let copied = json(&world, &["image", "copy", &image, &format!("{PROJECT}/deep/er/copy:v2")]).await;
    assert_eq!((text(&copied, "digest"), &copied["sent"]), (digest.clone(), &json!(0)));

    // As another client finds it, by a name with a host and a log-in from a file.
    world.bencher(&["auth", "docker"]).await.done();
    let host = world.url.trim_start_matches("http://");
    let by_host = json(&world, &["image", "pull", &format!("http://{host}/{image}")]).await;
    assert_eq!(text(&by_host, "digest"), digest);

    if has("skopeo") {
        let at = |name: &str| world.path().join(name).display().to_string();
        let inspected = run("skopeo", &["inspect", "--format", "{{.Digest}}", &format!("oci-archive:{}", at("a.tar"))]);
        assert_eq!(inspected.trim(), digest);
        // With the log-in that `auth docker` wrote.
        let pushed = format!("docker://{host}/{PROJECT}/skopeo:v1");
        let login = at(".docker/config.json");
        let flags = ["--quiet", "--dest-tls-verify=false", "--dest-authfile", &login];
        run("skopeo", &[&["copy"], &flags[..], &[&format!("oci:{}", at("layout")), &pushed]].concat());
        assert_eq!(json(&world, &["image", "tags", &format!("{PROJECT}/skopeo")]).await, json!(["v1"]));
        run("skopeo", &["copy", "--quiet", &format!("oci:{}", at("layout")), &format!("docker-archive:{}:shop:v9", at("d.tar"))]);
        let viewed = json(&world, &["image", "view", "docker-archive:d.tar"]).await;
        assert_eq!(viewed["shown"]["layers"].as_array().map(Vec::len), Some(1), "{viewed}");
        json(&world, &["image", "copy", &image, "docker-archive:e.tar"]).await;
        let names = run("skopeo", &["inspect", &format!("docker-archive:{}", at("e.tar"))]);
        assert!(names.contains("linux"), "{names}");
    }
}

/// A podman of this test's own: its storage, its socket.
struct Podman {
    folder: std::path::PathBuf,
    _service: Child,
}

impl Podman {
    async fn start(world: &World) -> Self {
        let folder = world.path().join("podman");
        std::fs::create_dir_all(&folder).expect("the folder is made");
        let socket = format!("unix://{}", folder.join("podman.sock").display());
        let service = Child::spawn(Path::new("podman"), &folder.join("log"), |command| {
            command.args(Self::storage(&folder)).args(["system", "service", "--time", "0", &socket]);
        });
        let podman = Self { folder, _service: service };
        until("podman listens", async || podman.folder.join("podman.sock").exists().then_some(())).await;
        podman
    }

    fn storage(folder: &Path) -> [String; 6] {
        let at = |name: &str| folder.join(name).display().to_string();
        ["--root".to_owned(), at("root"), "--runroot".to_owned(), at("run"), "--storage-driver".to_owned(), "vfs".to_owned()]
    }

    fn run(&self, arguments: &[&str]) -> String {
        let storage = Self::storage(&self.folder);
        let storage: Vec<&str> = storage.iter().map(String::as_str).collect();
        run("podman", &[&storage, arguments].concat())
    }

    fn host(&self) -> String {
        format!("unix://{}", self.folder.join("podman.sock").display())
    }
}

#[tokio::test]
async fn an_image_of_an_engine_is_pushed_by_its_name_and_one_of_the_server_given_to_it() {
    if !has("podman") {
        return;
    }
    let Some(world) = World::start().await else { return };
    let image = world.push_busybox("bench").await;
    let podman = Podman::start(&world).await;
    let host = podman.host();
    let env = [("DOCKER_HOST", host.as_str())];

    world.bencher_with(&env, &["image", "pull", &image, "engine:localhost/shop/bench:v1"]).await.done();
    assert!(podman.run(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).contains("localhost/shop/bench:v1"));

    let pushed = format!("{PROJECT}/pushed:v1");
    let ended = world.bencher_with(&env, &["image", "push", &pushed, "--from", "engine:localhost/shop/bench:v1"]).await;
    ended.done();
    let before = json(&world, &["image", "view", &image]).await;
    let after = json(&world, &["image", "view", &pushed]).await;
    assert_eq!(after["shown"]["image"]["cmd"], before["shown"]["image"]["cmd"]);

    let missing = world.bencher_with(&env, &["image", "push", &pushed, "--from", "engine:localhost/nothing:v1"]).await;
    assert_eq!(missing.code, Some(3), "{missing:#?}");
    assert!(missing.stderr.contains("has no image `localhost/nothing:v1`"), "{missing:#?}");
}

#[tokio::test]
async fn a_job_does_what_its_image_says_of_its_benchmark_and_a_run_may_say_otherwise() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let base = world.push_busybox("base").await;
    let script = "#!/bin/busybox sh\necho \"{\\\"sort\\\":{\\\"latency\\\":{\\\"value\\\":$VALUE}}}\"\n";
    std::fs::write(world.path().join("bench.sh"), script).expect("the script is written");
    let describe = "spec:\n  command: [/bin/busybox, sh, /bench.sh]\n  outputFormat: bencher\n  timeout: 50\n  \
                    resources: {vcpus: 1, memory: 512Mi}\n  env:\n    - {name: VALUE, value: 7}\n";
    std::fs::write(world.path().join("bencher-image.yaml"), describe).expect("the description is written");
    let image = format!("{PROJECT}/described:v1");
    let build = |config: &'static str, image: String, base: String| {
        let world = &world;
        async move {
            let arguments =
                ["image", "build", "-t", &image, "--base", &base, "--file", "bench.sh:/bench.sh", "--config", config, "--push"];
            world.bencher(&arguments).await.done();
        }
    };
    build("bencher-image.yaml", image.clone(), base.clone()).await;

    let said = world.submit(json!({ "image": image })).await;
    world.until_status(&said.job, "processed").await;
    let report = world.report(&said.report).await;
    assert_eq!(report["results"][0][0]["measures"][0]["metric"]["value"], 7.0, "{report:#}");
    let otherwise = world.submit(json!({ "image": image, "env": { "VALUE": "8" } })).await;
    world.until_status(&otherwise.job, "processed").await;
    let report = world.report(&otherwise.report).await;
    assert_eq!(report["results"][0][0]["measures"][0]["metric"]["value"], 8.0, "{report:#}");

    std::fs::write(world.path().join("large.yaml"), "spec: {resources: {vcpus: 64}}").expect("it is written");
    let large = format!("{PROJECT}/large:v1");
    build("large.yaml", large.clone(), base.clone()).await;
    let (status, answer) = world.try_submit(json!({ "image": large })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    assert!(text(&answer, "message").contains("asks for 64 CPUs at least, and the spec host has 1"), "{answer}");

    let broken = format!("{PROJECT}/broken:v1");
    let label = "dev.bencher.image=spec: {timeout: soon}";
    let build = ["image", "build", "-t", &broken, "--base", &base, "--file", "bench.sh:/bench.sh", "--label", label, "--push"];
    world.bencher(&build).await.done();
    let (status, answer) = world.try_submit(json!({ "image": broken })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    assert!(text(&answer, "message").contains("spec.timeout: `soon` is not valid"), "{answer}");
    runner.stop(&world.marker).await;
}
