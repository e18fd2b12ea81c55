//! From a repository to a report: an image built of a clone by the command line, described by the repository, run by a runner.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    image_tools::has,
    support::{PROJECT, SPEC, World, text},
};

/// What the repository says of its benchmark.
const DESCRIPTION: &str = "\
apiVersion: bencher.dev/v1
kind: BenchmarkImage
spec:
  command: [/bin/busybox, sh, /bench.sh]
  outputFormat: bencher
  timeout: 50
  env: [{name: VALUE, value: 7}]
  artifacts:
    - {path: /results/*.svg, name: graphs}
    - {path: /results/raw}
    - {path: /results/never.txt}
";

/// What it runs: the results go to standard output, and what is to be looked at into files.
const SCRIPT: &str = "\
#!/bin/busybox sh
busybox mkdir -p /results
echo '<svg one>' > /results/one.svg
echo '<svg two>' > /results/two.svg
busybox printf '\\377\\000' > /results/raw
echo \"{\\\"sort\\\":{\\\"latency\\\":{\\\"value\\\":$VALUE}}}\"
";

fn repository(dir: &Path) {
    fs::create_dir_all(dir).expect("the folder is made");
    fs::write(dir.join("bencher-image.yaml"), DESCRIPTION).expect("it is written");
    fs::write(dir.join("bench.in"), SCRIPT).expect("it is written");
    for arguments in [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "-m", "one"]] {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-C"]).arg(dir).args(arguments);
        let output = git.output().expect("git runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
}

#[tokio::test]
async fn a_repository_becomes_an_image_and_that_a_report_with_its_artifacts() {
    if !has("bwrap") {
        return;
    }
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let base = world.push_busybox("base").await;
    repository(&world.path().join("repo"));
    let image = format!("{PROJECT}/built:v1");
    // In a jail with the programs of an image, which has nothing but busybox.
    let tools = ["image", "build", "-t", "tools:v1", "--base", &base, "--add", "/bin/busybox:/bin/sh", "-o", "tools"];
    world.bencher(&tools).await.done();
    let setup = "busybox mkdir out && busybox cp bench.in out/bench.sh && busybox test ! -e /etc/passwd";
    let build = ["image", "build", "-t", &image, "--base", &base, "--git", "./repo", "--add", "out/bench.sh:/bench.sh", "--push"];
    let jail = ["--setup", setup, "--setup-in", "oci:tools", "--no-network"];
    world.bencher(&[&build[..], &jail].concat()).await.done();

    let run =
        ["run", "--project", PROJECT, "--branch", "main", "--spec", SPEC, "--image", &image, "--iter", "2", "--format", "json"];
    let report = world.bencher(&run).await.json();
    assert_eq!(report["results"][0][0]["measures"][0]["metric"]["value"], 7.0, "{report:#}");
    assert_eq!(report["results"].as_array().map(Vec::len), Some(2), "artifacts are no results: {report:#}");
    let job = text(&report, "job");

    let listed = world.bencher(&["job", "artifacts", PROJECT, &job, "--save", "saved", "--format", "json"]).await.json();
    let of = |iteration: u64, path: &str, name: Value, size: u64| {
        let file = format!("saved/{iteration}{path}");
        json!({ "iteration": iteration, "path": path, "name": name, "size": size, "file": file })
    };
    let expected = (0..2).flat_map(|iteration| {
        [
            of(iteration, "/results/one.svg", json!("graphs"), 10),
            of(iteration, "/results/raw", json!(null), 2),
            of(iteration, "/results/two.svg", json!("graphs"), 10),
        ]
    });
    assert_eq!(listed, Value::Array(expected.collect()));
    assert_eq!(fs::read(world.path().join("saved/1/results/raw")).expect("it was saved"), b"\xff\0", "bytes stay what they were");

    let logs = world.bencher(&["job", "logs", PROJECT, &job]).await;
    assert!(logs.stderr.contains("file `/results/never.txt` was not collected"), "{logs:#?}");
    runner.stop(&world.marker).await;
}
