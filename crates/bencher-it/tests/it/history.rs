//! A team arrives with its past, and asks: when did it change, is this run worse, how sure are we, what could we have missed?
//!
//! The past is github-action-benchmark's own, as its action kept it. `docs/tutorial-history.md` walks the same way.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{PROJECT, World, text};

const DATA: &str = "../bencher-analysis/tests/fixtures/github-action-benchmark/data.js";
const SUITE: &str = "Rust Benchmark";
const BENCHMARK: &str = "bench_fib_20";

async fn import(world: &World) -> Value {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join(DATA);
    let data = data.to_str().expect("the path is UTF-8");
    let to = ["--project", PROJECT, "--testbed", "hosted", "--suite", SUITE, "--format", "json"];
    world.bencher(&[&["import", "github-action-benchmark", data], &to[..]].concat()).await.json()
}

/// The UUID of what has this name in a list.
async fn uuid(world: &World, kind: &str, name: &str) -> String {
    text(&world.bencher(&[kind, "list", PROJECT, "--name", name]).await.json()[0], "uuid")
}

/// The points of the one series, the oldest first.
async fn points(world: &World) -> Vec<Value> {
    let mut args = vec!["perf".to_owned(), PROJECT.to_owned()];
    for (kind, name) in [("branch", "main"), ("testbed", "hosted"), ("benchmark", BENCHMARK), ("measure", "Latency")] {
        let many = if kind == "branch" { "--branches".to_owned() } else { format!("--{kind}s") };
        args.extend([many, uuid(world, kind, name).await]);
    }
    let perf = world.bencher(&args.iter().map(String::as_str).collect::<Vec<_>>()).await.json();
    perf["results"][0]["metrics"].as_array().expect("points").clone()
}

/// Files one report of several iterations of the benchmark and says what became of it.
async fn run(world: &World, nanos: &[f64], flags: &[&str]) -> (Option<i32>, Value) {
    let mut args =
        vec!["run", "--project", PROJECT, "--branch", "main", "--testbed", "hosted", "--adapter", "json", "--format", "json"];
    let mut files = Vec::new();
    for (number, nanos) in nanos.iter().enumerate() {
        let name = format!("result-{number}.json");
        let bmf = json!({ BENCHMARK: { "latency": { "value": nanos } } });
        std::fs::write(world.path().join(&name), bmf.to_string()).expect("the result is written");
        files.push(name);
    }
    args.extend(flags);
    args.extend(files.iter().flat_map(|file| ["--file", file.as_str()]));
    let ended = world.bencher(&args).await;
    (ended.code, serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:#?}")))
}

#[tokio::test]
async fn a_history_is_imported_once_and_answers_what_it_is_asked() {
    let Some(world) = World::start().await else { return };
    let first = import(&world).await;
    assert_eq!(first["reports"], json!({ "found": 301, "new": 301, "known": 0, "refused": 0 }));
    assert_eq!((&first["commits"], &first["metrics"]), (&json!(281), &json!(602)));
    let again = import(&world).await;
    assert_eq!(again["reports"], json!({ "found": 301, "new": 0, "known": 301, "refused": 0 }));

    // When did it change? The first point of each regime is a commit.
    let points = points(&world).await;
    assert_eq!(points.len(), 301);
    let versions: Vec<_> = points.iter().map(|point| point["version"]["number"].as_u64()).collect();
    assert!(versions.is_sorted(), "versions are in the order of the commits");
    let values: Vec<f64> = points.iter().filter_map(|point| point["metric"]["value"].as_f64()).collect();
    std::fs::write(world.path().join("series.json"), json!(values).to_string()).expect("the series is written");
    let found = world.bencher(&["analyze", "change-points", "series.json", "--format", "json"]).await.json();
    let changes: Vec<_> = found["change_points"].as_array().expect("change points").iter().collect();
    assert!(!changes.is_empty());
    for change in &changes {
        let index = usize::try_from(change["index"].as_u64().expect("an index")).expect("an index");
        assert!(points[index]["version"]["hash"].as_str().is_some_and(|hash| hash.len() == 40));
        assert!(change["p_value"].as_f64().is_some_and(|p| p <= 0.001));
    }

    // Is this run worse? A threshold knows, over the last points.
    let threshold = ["--test", "t_test", "--max-sample-size", "64", "--upper-boundary", "0.99"];
    let of = ["threshold", "create", PROJECT, "--branch", "main", "--testbed", "hosted", "--measure", "latency"];
    world.bencher(&[&of[..], &threshold].concat()).await.done();
    let last = &values[values.len() - 10..];
    let (code, usual) = run(&world, last, &["--err"]).await;
    assert_eq!(code, Some(0), "{usual:#}");
    let worse: Vec<f64> = last.iter().map(|nanos| nanos * 2.0).collect();
    let (code, alerted) = run(&world, &worse, &["--err"]).await;
    assert_eq!((code, alerted["alerts"][0]["limit"].as_str()), (Some(5), Some("upper")));

    // How sure are we, and what could we have missed? The comparison has an interval, a p-value, and the least change it would see.
    let (old, new) = (text(&usual, "uuid"), text(&alerted, "uuid"));
    let compared = world.bencher(&["compare", &old, &new, "--project", PROJECT, "--format", "json"]).await;
    assert_eq!(compared.code, Some(5), "{compared:#?}");
    let result: Value = serde_json::from_str(&compared.stdout).expect("JSON");
    let comparison = &result["results"][0];
    assert_eq!(comparison["verdict"], "regression");
    assert!(comparison["interval"]["lower"].as_f64() > Some(1.0), "{comparison:#}");
    assert!(comparison["adjusted_p_value"].as_f64() < Some(0.05), "{comparison:#}");
    assert!(comparison["detectable"].as_f64() > Some(0.0), "{comparison:#}");
    let path = format!("/v0/projects/{PROJECT}/compare?old={old}&new={new}");
    assert_eq!(world.call(reqwest::Method::GET, &path, Value::Null).await["results"][0], *comparison);
}
