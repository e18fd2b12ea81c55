//! Importing, against a server that keeps idempotency keys.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{
    shapes,
    support::{Reply, World},
};

const HASH: &str = "45d78258e495044a551046f50604da3c893052ce";

/// A server that knows what it was sent, and refuses results with a word in them.
fn server() -> World {
    let known = Arc::new(Mutex::new(BTreeSet::new()));
    World::new(move |asked| match (asked.method.as_str(), asked.path.split('?').next().unwrap_or_default()) {
        ("GET", "/v0/projects/shop/measures") => Reply::ok(json!([])),
        ("POST", "/v0/projects/shop/measures") => Reply::new(201, json!({})),
        ("POST", "/v0/projects/shop/reports") => {
            if asked.body["results"][0].as_str().unwrap().contains("refused") {
                return Reply::error(400, "this is not valid");
            }
            let mut report = shapes::report(0);
            if !known.lock().unwrap().insert(asked.body["idempotency_key"].to_string()) {
                report["repeated"] = json!(true);
            }
            Reply::new(201, report)
        }
        _ => Reply::error(404, "Not Found"),
    })
}

fn write(world: &World, path: &str, text: &str) {
    let path = world.dir.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn bmf(name: &str) -> String {
    json!({ name: { "latency": { "value": 1.5 } } }).to_string()
}

/// The reports that were filed: commit, time and results.
fn filed(world: &World) -> Vec<(Value, Value)> {
    let posts = world.asked().into_iter().filter(|asked| asked.path == "/v0/projects/shop/reports");
    posts.map(|asked| (asked.body["hash"].clone(), asked.body["start_time"].clone())).collect()
}

fn import(args: &str) -> Vec<&str> {
    ["import"].into_iter().chain(args.split(' ')).collect()
}

#[test]
fn one_file_is_of_the_commit_and_the_time_that_are_given() {
    let world = server();
    write(&world, "result.json", &bmf("a"));
    let ended = world.bencher(&import(&format!("bmf --project shop --hash {HASH} --time 2024-03-01T12:00:00Z result.json")));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let body = &world.asked()[0].body;
    assert_eq!(
        (&body["hash"], &body["start_time"], &body["branch"], &body["testbed"], &body["settings"]["adapter"]),
        (&json!(HASH), &json!("2024-03-01T12:00:00Z"), &json!("main"), &json!("localhost"), &json!("json"))
    );
}

#[test]
fn files_are_filed_in_the_order_of_their_commits_and_once() {
    let world = server();
    for (name, day) in [("c", 1), ("a", 3), ("b", 2)] {
        write(&world, &format!("results/2024-03-0{day}-{name}.json"), &bmf("a"));
    }
    write(&world, "results/.hidden", "no");
    let args =
        ["import", "bmf", "--project", "shop", "--name-pattern", r"(?<time>\d{4}-\d\d-\d\d)", "results", "--format", "json"];
    let first = world.bencher(&args).json();
    let times: Vec<_> = filed(&world).into_iter().map(|(_, time)| time).collect();
    assert_eq!(times, ["2024-03-01T00:00:00Z", "2024-03-02T00:00:00Z", "2024-03-03T00:00:00Z"].map(Value::from));
    assert_eq!(first["reports"], json!({ "found": 3, "new": 3, "known": 0, "refused": 0 }));
    assert_eq!(world.bencher(&args).json()["reports"], json!({ "found": 3, "new": 0, "known": 3, "refused": 0 }));
}

#[test]
fn git_knows_the_whole_hash_and_the_time() {
    let world = server();
    let hash = commit(world.dir.path());
    write(&world, &format!("results/{}.json", &hash[..9]), &bmf("a"));
    let ended = world.bencher(&["import", "bmf", "--project", "shop", "--name-pattern", "^(?<hash>[0-9a-f]+)", "results"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(filed(&world), [(json!(hash), json!("2024-03-01T12:00:00Z"))]);
}

/// Makes a repository with one commit.
fn commit(folder: &Path) -> String {
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]).args(args).current_dir(folder);
        command.env("GIT_COMMITTER_DATE", "2024-03-01T12:00:00Z").env("GIT_AUTHOR_DATE", "2020-01-01T00:00:00Z");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["commit", "--quiet", "--allow-empty", "-m", "first"]);
    git(&["rev-parse", "HEAD"])
}

#[test]
fn what_cannot_be_read_or_is_refused_is_named_and_the_rest_counts() {
    let world = server();
    write(&world, "r/2024-03-01.json", &bmf("a"));
    write(&world, "r/2024-03-02.json", "{");
    write(&world, "r/2024-03-03.json", &bmf("refused"));
    write(&world, "r/README", "about these files");
    let args = ["import", "bmf", "--project", "shop", "--name-pattern", r"(?<time>\d{4}-\d\d-\d\d)", "r", "--format", "table"];
    assert_snapshot!(world.bencher(&args).all(), @r#"
    exit 1
    == stdout
    project     shop
    branch      main
    testbed     localhost
    reports     1 new, 0 known, 1 refused
    commits     0
    metrics     2
    first       2024-03-01 00:00:00Z
    last        2024-03-03 00:00:00Z
    unreadable  2 files
    == stderr
    warning: r/2024-03-02.json is left out: the `json` adapter expected a JSON object {"benchmark": {"measure": {"value": number}}}, found `{`: EOF while parsing an object at line 1 column 1
    warning: r/README is left out: there is no commit and no time in its name
    warning: r/2024-03-03.json is left out: this is not valid (400 from POST /v0/projects/shop/reports, request 01234567-89ab-cdef-0123-456789abcdef)
    "#);
}

#[test]
fn a_server_that_does_not_know_the_project_is_asked_once() {
    let world = server();
    for day in 1..4 {
        write(&world, &format!("r/2024-03-0{day}.json"), &bmf("a"));
    }
    let args = ["import", "bmf", "--project", "other", "--name-pattern", r"(?<time>\d{4}-\d\d-\d\d)", "r"];
    let ended = world.bencher(&args);
    assert_eq!((ended.code, world.asked().len()), (Some(3), 1), "{ended:?}");
    assert!(ended.stderr.contains("stopped after 0 of 3 reports; the same command again goes on there"), "{ended:?}");
}

const DATA: &str = r#"window.BENCHMARK_DATA = { "entries": {
    "Go": [{ "commit": { "id": "45d78258e495044a551046f50604da3c893052ce", "timestamp": "2024-03-02T00:00:00+01:00" }, "date": 1,
        "tool": "go", "benches": [{ "name": "Fib", "value": 12.5, "unit": "ns/op" }, { "name": "Fib - B/op", "value": 8, "unit": "B/op" }] }],
    "Rust": [{ "commit": { "id": "5d78258e495044a551046f50604da3c893052cef", "timestamp": "2024-03-01T00:00:00+01:00" }, "date": 1,
        "tool": "cargo", "benches": [{ "name": "fib", "value": 12, "unit": "ns/iter", "range": "± 3" }, { "name": "x", "unit": "s" }] }]
} };"#;

#[test]
fn a_dry_run_says_what_would_be_sent() {
    let world = server();
    write(&world, "data.js", DATA);
    let table = world.bencher(&import("github-action-benchmark data.js --project shop --dry-run --format table"));
    assert_snapshot!(table.all(), @r"
    exit 0
    == stdout
    project   shop
    branch    main
    testbed   localhost
    reports   2 to send
    commits   2
    metrics   3
    first     2024-02-29 23:00:00Z
    last      2024-03-01 23:00:00Z
    measures  B/op in B/op, lower is better
              latency, lower is better
    skipped   1 values, such as: benchmark `x` has no value
    == stderr
    dry run: nothing was sent
    ");
    let json = world.bencher(&import("github-action-benchmark data.js --project shop --dry-run"));
    assert_snapshot!(json.stdout, @r#"
    {
      "branch": "main",
      "commits": 2,
      "dry_run": true,
      "first": "2024-02-29T23:00:00Z",
      "last": "2024-03-01T23:00:00Z",
      "measures": [
        {
          "better": "lower",
          "name": "B/op",
          "units": "B/op"
        },
        {
          "better": "lower",
          "name": "latency"
        }
      ],
      "metrics": 3,
      "project": "shop",
      "reports": {
        "found": 2,
        "known": 0,
        "new": 0,
        "refused": 0
      },
      "skipped": {
        "example": "benchmark `x` has no value",
        "values": 1
      },
      "testbeds": [
        "localhost"
      ],
      "unreadable": []
    }
    "#);
    assert!(world.all_asked().is_empty());
}

#[test]
fn measures_that_results_cannot_define_are_made_first() {
    let world = server();
    write(&world, "data.js", DATA);
    let ended = world.bencher(&import("github-action-benchmark data.js --project shop --branch next --testbed ci"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let asked = world.asked();
    assert_eq!(
        world.paths(),
        [
            "GET /v0/projects/shop/measures?name=B%2Fop",
            "POST /v0/projects/shop/measures",
            "POST /v0/projects/shop/reports",
            "POST /v0/projects/shop/reports"
        ]
    );
    assert_eq!(asked[1].body, json!({ "name": "B/op", "units": "B/op" }));
    // The older commit first, whatever its suite is called.
    assert_eq!(asked[2].body["hash"], "5d78258e495044a551046f50604da3c893052cef");
    assert_eq!((&asked[3].body["branch"], &asked[3].body["testbed"]), (&json!("next"), &json!("ci")));
    let result: Value = serde_json::from_str(asked[2].body["results"][0].as_str().unwrap()).unwrap();
    assert_eq!(result, json!({ "fib": { "latency": { "value": 12.0, "lower_value": 9.0, "upper_value": 15.0 } } }));
}

#[test]
fn suites_are_chosen_and_told_apart() {
    let world = server();
    write(&world, "data.js", &DATA.replace("\"fib\"", "\"Fib\""));
    let run = |flags: &str| world.bencher(&import(&format!("github-action-benchmark data.js --project shop --dry-run{flags}")));
    let clash = run("");
    assert_eq!(clash.code, Some(2));
    assert!(clash.stderr.contains("benchmark `Fib` is in the suites `Go` and `Rust`: choose with --suite"), "{clash:?}");
    assert_eq!(run(" --suite Go").json()["reports"]["found"], 1);
    assert_eq!(run(" --prefix-suite").json()["reports"]["found"], 2);
    let unknown = run(" --suite C");
    assert!(unknown.stderr.contains("there is no suite `C`: the file has `Go`, `Rust`"), "{unknown:?}");
    let world = server();
    write(&world, "data.js", "{}");
    let ended = world.bencher(&import("github-action-benchmark data.js --project shop"));
    assert_snapshot!(ended.all(), @r#"
    exit 1
    == stdout
    == stderr
    warning: data.js is left out: expected github-action-benchmark's data.js: window.BENCHMARK_DATA = {"entries": {"suite": [runs]}}: missing field `entries` at line 1 column 2
    error: there is nothing to import
    "#);
}

/// What a real asv kept, with a file that none can read and one of another environment.
#[test]
fn results_of_asv_are_of_its_machine() {
    let world = server();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bencher-analysis/tests/fixtures/asv-0.6.6/results");
    let read = |path: &str| fs::read_to_string(fixtures.join(path)).unwrap();
    for path in ["benchmarks.json", "box/machine.json", "box/bb716e02-existing-py_tmp_venv_bin_python.json"] {
        write(&world, &format!("results/{path}"), &read(path));
    }
    write(&world, "results/box/broken.json", "[");
    let ended = world.bencher(&import("asv --project shop --format json"));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let summary = ended.json();
    assert_eq!((&summary["testbeds"], &summary["reports"]["new"]), (&json!(["box"]), &json!(1)));
    assert_eq!(summary["unreadable"][0]["path"], "results/box/broken.json");

    let other = read("box/bb716e02-existing-py_tmp_venv_bin_python.json").replace("existing-py", "other-py");
    write(&world, "results/box/bb716e02-other-py_tmp_venv_bin_python.json", &other);
    let ended = world.bencher(&import("asv --project shop"));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("the results are of 2 environments: choose one with --environment"), "{ended:?}");
    let chosen = world
        .bencher(&import("asv results --project shop --environment other-py_tmp_venv_bin_python --machine box --testbed lab"));
    assert_eq!(chosen.json()["testbeds"], json!(["lab"]));
}
