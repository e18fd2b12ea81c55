use clap::Parser as _;
use insta::assert_json_snapshot;

use super::*;
use crate::cli::{AnyCommand, Cli, Command};

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

fn args(words: &[&str]) -> Run {
    match Cli::parse_from([&["bencher", "run"], words].concat()).command {
        AnyCommand::OfServer(Command::Run(run)) => *run,
        other => panic!("{other:?}"),
    }
}

fn body(words: &[&str]) -> serde_json::Value {
    let args = args(words);
    check(&args).unwrap();
    let at = DateTime::from_micros(1_000_000).unwrap();
    let end = DateTime::from_micros(3_500_000).unwrap();
    let git = Git { reference: Some("refs/heads/main".into()), head: Some(HASH.parse().unwrap()), ..Git::default() };
    let measured = Measured { results: vec!["{}".into()], timing: Timing { start: at, end } };
    let mut body = serde_json::to_value(new_run(&args, &git, measured).unwrap()).unwrap();
    assert_eq!(body["idempotency_key"].as_str().unwrap().len(), 36);
    body.as_object_mut().unwrap().remove("idempotency_key");
    body
}

fn refused(words: &[&str]) -> String {
    check(&args(words)).unwrap_err().to_string()
}

#[test]
fn a_single_text_goes_through_a_shell() {
    assert_eq!(argv(&args(&["echo a | cat"])).unwrap(), ["/bin/sh", "-c", "echo a | cat"]);
    assert_eq!(argv(&args(&["--shell", "/bin/bash", "--flag", "-lc", "x"])).unwrap(), ["/bin/bash", "-lc", "x"]);
}

#[test]
fn several_words_and_exec_need_no_shell() {
    assert_eq!(argv(&args(&["cargo", "bench"])).unwrap(), ["cargo", "bench"]);
    assert_eq!(argv(&args(&["--exec", "bench"])).unwrap(), ["bench"]);
}

#[test]
fn no_command_is_no_command() {
    assert_eq!(argv(&args(&[])), None);
    assert_eq!(argv(&args(&[" "])), None);
}

#[test]
fn there_must_be_something_to_do() {
    assert!(something_to_do(&args(&[]), false).is_err());
    assert!(something_to_do(&args(&[]), true).is_ok());
    assert!(something_to_do(&args(&["--file", "x"]), false).is_ok());
    assert!(something_to_do(&args(&["--build-time"]), true).is_err());
}

#[test]
fn a_local_run_is_filed_under_gits_branch_and_commit() {
    let body = body(&["--project", "shop", "--adapter", "json", "--testbed", "box 1", "x"]);
    assert_json_snapshot!(body, { ".context[\"bencher.dev/v0/testbed/os\"]" => "[os]" }, @r#"
    {
      "branch": "main",
      "context": {
        "bencher.dev/v0/branch/hash": "0123456789abcdef0123456789abcdef01234567",
        "bencher.dev/v0/branch/ref": "refs/heads/main",
        "bencher.dev/v0/branch/ref/name": "main",
        "bencher.dev/v0/testbed/os": "[os]"
      },
      "end_time": "1970-01-01T00:00:03.5Z",
      "hash": "0123456789abcdef0123456789abcdef01234567",
      "project": "shop",
      "results": [
        "{}"
      ],
      "settings": {
        "adapter": "json"
      },
      "start_time": "1970-01-01T00:00:01Z",
      "testbed": "box 1"
    }
    "#);
}

#[test]
fn flags_of_a_remote_run_become_the_job() {
    let body = body(&[
        "--image",
        "shop:v1",
        "--spec",
        "small",
        "--entrypoint",
        "/bench",
        "--env",
        "A=1",
        "--env",
        "B=x=y",
        "--job-timeout",
        "60",
        "--file",
        "out.json",
        "--iter",
        "3",
        "--warmup",
        "2",
        "--reuse-vm",
        "--allow-failure",
        "--backdate",
        "10",
        "--branch",
        "feature/x",
        "run all",
    ]);
    assert_eq!(body["branch"], "feature/x");
    assert_json_snapshot!(body["job"], @r#"
    {
      "allow_failure": true,
      "backdate": "1970-01-01T00:00:10Z",
      "cmd": [
        "/bin/sh",
        "-c",
        "run all"
      ],
      "entrypoint": [
        "/bench"
      ],
      "env": {
        "A": "1",
        "B": "x=y"
      },
      "file_paths": [
        "out.json"
      ],
      "image": "shop:v1",
      "iter": 3,
      "reuse_vm": true,
      "spec": "small",
      "timeout": 60,
      "warmup_runs": 2
    }
    "#);
}

#[test]
fn a_plain_remote_run_leaves_the_command_to_the_image() {
    assert_json_snapshot!(body(&["--image", "shop:v1"])["job"], @r#"
    {
      "image": "shop:v1",
      "iter": 1
    }
    "#);
}

#[test]
fn measured_files_are_asked_for_as_file_paths() {
    let body = body(&["--image", "shop:v1", "--file-size", "/bin/bench"]);
    assert_eq!((&body["job"]["file_paths"][0], &body["job"]["file_size"]), (&json!("/bin/bench"), &json!(true)));
}

#[test]
fn a_backdated_local_run_keeps_its_length() {
    let body = body(&["--backdate", "100", "x"]);
    assert_eq!((&body["start_time"], &body["end_time"]), (&json!("1970-01-01T00:01:40Z"), &json!("1970-01-01T00:01:42.5Z")));
}

#[test]
fn the_start_point_is_sent_as_the_contract_says() {
    let body = body(&[
        "--start-point",
        "main",
        "--start-point-hash",
        HASH,
        "--start-point-clone-thresholds",
        "--start-point-reset",
        "x",
    ]);
    assert_json_snapshot!(body["start_point"], @r#"
    {
      "branch": "main",
      "clone_thresholds": true,
      "hash": "0123456789abcdef0123456789abcdef01234567",
      "reset": true
    }
    "#);
}

#[test]
fn thresholds_go_by_measure_and_elide_with_an_underscore() {
    let body = body(&[
        "--threshold-measure",
        "latency",
        "--threshold-test",
        "t_test",
        "--threshold-max-sample-size",
        "64",
        "--threshold-upper-boundary",
        "0.99",
        "--threshold-measure",
        "throughput",
        "--threshold-test",
        "percentage",
        "--threshold-max-sample-size",
        "_",
        "--threshold-upper-boundary",
        "_",
        "--thresholds-reset",
        "x",
    ]);
    assert_json_snapshot!(body["thresholds"], @r#"
    {
      "models": {
        "latency": {
          "max_sample_size": 64,
          "test": "t_test",
          "upper_boundary": 0.99
        },
        "throughput": {
          "test": "percentage"
        }
      },
      "reset": true
    }
    "#);
}

#[test]
fn thresholds_of_different_lengths_are_refused() {
    insta::assert_snapshot!(
        refused(&["--threshold-measure", "a", "--threshold-measure", "b", "--threshold-test", "static", "x"]),
        @"--threshold-test is given 1 times for 2 measures: give one each"
    );
    insta::assert_snapshot!(
        refused(&["--threshold-measure", "a", "--threshold-test", "static", "--threshold-window", "1", "--threshold-window", "2", "x"]),
        @"--threshold-window is given 2 times for 1 measures: give one each, `_` for none"
    );
}

#[test]
fn a_time_that_does_not_exist_is_refused() {
    assert!(refused(&["--backdate", "999999999999999", "x"]).contains("no such time"));
}

#[test]
fn a_job_reads_files_or_measures_them() {
    assert!(refused(&["--image", "a", "--file", "x", "--file-size", "y"]).contains("not both"));
}

#[test]
fn our_own_metrics_are_benchmark_json() {
    assert_eq!(own_metric("cargo build", "build-time", 1.5), r#"{"cargo build":{"build-time":{"value":1.5}}}"#);
}
