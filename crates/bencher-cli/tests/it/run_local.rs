//! `bencher run` of a command on this machine.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{
    shapes,
    support::{Reply, World},
};

fn world() -> World {
    World::always(201, shapes::report(1))
}

/// The body of the only request.
fn sent(world: &World) -> Value {
    let asked = world.asked();
    assert_eq!(world.paths(), ["POST /v0/run"]);
    asked.into_iter().next().unwrap().body
}

#[test]
fn every_iteration_is_a_result_and_the_report_is_shown() {
    let world = World::always(201, shapes::report(2));
    let ended = world.bencher(&["run", "--project", "shop", "--iter", "2", "echo results"]);
    assert_snapshot!(ended.all(), @r"
    exit 0
    == stdout
    report   00000000-0000-4000-8000-000000000020
    project  The Shop (shop)
    branch   main (version 7, 0123456789ab)
    testbed  Small (spec small)
    adapter  magic
    started  2026-01-02 03:04:05Z

    iteration 0
    BENCHMARK  LATENCY                         FILE SIZE
    gzip -6    12.35 ms (11.11 ms … 13.58 ms)  2 KiB
    zstd       999 ns (899.1 ns … 1.099 µs)    2 KiB

    iteration 1
    BENCHMARK  LATENCY                         FILE SIZE
    gzip -6    12.35 ms (11.11 ms … 13.58 ms)  2 KiB
    zstd       999 ns (899.1 ns … 1.099 µs)    2 KiB
    == stderr
    iteration 1 of 2
    results
    iteration 2 of 2
    results

    report http://SERVER/v0/projects/shop/reports/00000000-0000-4000-8000-000000000020
    see it again with `bencher report view shop 00000000-0000-4000-8000-000000000020`
    ");
    let body = sent(&world);
    assert_eq!(body["results"], json!(["results\n", "results\n"]));
    assert_eq!(body["project"], "shop");
    assert!(body["end_time"].as_str() >= body["start_time"].as_str());
}

#[test]
fn a_quiet_run_shows_only_the_report() {
    let world = world();
    let ended = world.bencher(&["run", "--quiet", "--format", "json", "echo results; echo progress >&2"]);
    assert_eq!((ended.json(), ended.stderr.as_str()), (shapes::report(1), ""));
}

#[test]
fn words_are_run_without_a_shell() {
    let world = world();
    assert_eq!(world.bencher(&["run", "printf", "%s|", "a b", "$HOME"]).code, Some(0));
    assert_eq!(sent(&world)["results"], json!(["a b|$HOME|"]));
}

#[test]
fn the_command_may_come_from_the_environment() {
    let world = world();
    assert!(world.command(&["run"]).env("BENCHER_CMD", "echo $((1+1))").output().unwrap().status.success());
    assert_eq!(sent(&world)["results"], json!(["2\n"]));
}

#[test]
fn a_command_that_does_not_exist_is_a_failure() {
    let world = world();
    assert_snapshot!(world.bencher(&["run", "--exec", "no-such-program"]).all(), @r"
    exit 1
    == stdout
    == stderr
    error: could not start `no-such-program`
      cause: No such file or directory (os error 2)
    ");
    let in_shell = world.bencher(&["run", "no-such-program 2>/dev/null"]);
    assert_snapshot!(in_shell.all(), @r"
    exit 1
    == stdout
    == stderr
    error: `no-such-program 2>/dev/null` failed in iteration 1: exit status: 127
      hint: --allow-failure takes its results all the same
    ");
    assert!(world.asked().is_empty());
}

#[test]
fn a_command_that_fails_fails_the_run_unless_that_is_allowed() {
    let world = world();
    let ended = world.bencher(&["run", "echo partial; exit 3"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("`echo partial; exit 3` failed in iteration 1: exit status: 3"), "{ended:?}");
    assert!(world.asked().is_empty());

    let allowed = world.bencher(&["run", "--allow-failure", "echo partial; exit 3"]);
    assert_eq!(allowed.code, Some(0), "{allowed:?}");
    assert_eq!(sent(&world)["results"], json!(["partial\n"]));
}

#[test]
fn a_command_killed_by_a_signal_says_so() {
    let ended = world().bencher(&["run", "kill -9 $$"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("signal: 9"), "{ended:?}");
}

#[test]
fn files_are_read_instead_of_the_output() {
    let world = world();
    let ended = world.bencher(&["run", "--file", "a.json", "--file", "b.json", "echo noise; echo A > a.json; echo B > b.json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(sent(&world)["results"], json!(["A\n", "B\n"]));
}

#[test]
fn a_missing_file_is_named() {
    assert_snapshot!(world().bencher(&["run", "--file", "none.json", "true"]).all(), @r"
    exit 7
    == stdout
    == stderr
    error: could not read none.json
      cause: No such file or directory (os error 2)
    ");
}

#[test]
fn files_need_no_command_and_results_may_be_piped_in() {
    let world = world();
    fs::write(world.dir.path().join("r.json"), "from a file").unwrap();
    assert_eq!(world.bencher(&["run", "--file", "r.json"]).code, Some(0));

    let mut child = world.command(&["run"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"piped").unwrap();
    assert!(child.wait().unwrap().success());
    let results: Vec<_> = world.asked().iter().map(|asked| asked.body["results"].clone()).collect();
    assert_eq!(results, [json!(["from a file"]), json!(["piped"])]);
}

#[test]
fn build_time_and_file_size_are_measured() {
    let world = world();
    let ended = world.bencher(&["run", "--build-time", "--file-size", "out", "printf 12345 > out"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let results = sent(&world)["results"].clone();
    let result = |index: usize| serde_json::from_str::<Value>(results[index].as_str().unwrap()).unwrap();
    assert!(result(0)["printf 12345 > out"]["build-time"]["value"].as_f64().unwrap() > 0.0);
    assert_eq!(result(1), json!({ "out": { "file-size": { "value": 5.0 } } }));
}

#[test]
fn a_command_that_prints_nothing_is_told_before_anything_is_sent() {
    let world = world();
    let ended = world.bencher(&["run", "true"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("printed nothing"), "{ended:?}");
    assert!(world.asked().is_empty());
}

#[test]
fn active_alerts_fail_the_run_where_asked_to() {
    let mut report = shapes::report(1);
    report["alerts"] = json!([shapes::alert()]);
    let world = World::always(201, report);
    assert_eq!(world.bencher(&["run", "echo x"]).code, Some(0));
    let ended = world.bencher(&["run", "--err", "echo x"]);
    assert_eq!(ended.code, Some(5));
    assert!(ended.stdout.contains("zstd   Latency  upper  active"), "{}", ended.stdout);
    assert!(ended.stderr.ends_with("error: the report has 1 active alert\n"), "{ended:?}");
}

#[test]
fn a_dry_run_sends_nothing_and_shows_what_is_understood() {
    let world = world();
    let bmf = r#"echo '{"gzip": {"latency": {"value": 1500, "upper_value": 2e6}, "score": {"value": 3}}}'"#;
    assert_snapshot!(world.bencher(&["run", "--quiet", "--dry-run", "--adapter", "json", bmf]).all(), @r"
    exit 0
    == stdout
    BENCHMARK  MEASURE  VALUE     LOWER  UPPER
    gzip       latency  1.500 µs  -      2 ms
    gzip       score    3         -      -
    == stderr
    dry run: nothing was sent
    ");
    let body = world.bencher(&["run", "--quiet", "--dry-run", "--format", "json", bmf]).json();
    assert_eq!(body["results"].as_array().unwrap().len(), 1);
    assert_eq!(world.bencher(&["run", "--quiet", "--dry-run", "--adapter", "json", "echo no"]).code, Some(1));
    assert!(world.asked().is_empty());
}

#[test]
fn the_servers_refusal_is_told_as_it_is() {
    let world = World::new(|_| Reply::error(400, "the output has no benchmark that the adapter magic knows"));
    let ended = world.bencher(&["run", "-q", "echo x"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("error: the output has no benchmark that the adapter magic knows (400"), "{ended:?}");
}

#[test]
fn git_says_which_branch_and_commit() {
    let world = world();
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(args).current_dir(world.dir.path());
        assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success(), "git {args:?}");
    };
    git(&["init", "--initial-branch", "feature/x"]);
    git(&["commit", "--allow-empty", "-m", "first"]);
    git(&["commit", "--allow-empty", "-m", "second"]);
    world.bencher(&["run", "-q", "echo x"]);
    let body = sent(&world);
    let context = &body["context"];
    assert_eq!(body["branch"], "feature/x");
    assert_eq!(body["hash"], context["bencher.dev/v0/branch/hash"]);
    assert_eq!(context["bencher.dev/v0/branch/ref"], "refs/heads/feature/x");
    assert_ne!(context["bencher.dev/v0/repo/hash"], body["hash"]);
    assert_eq!(context["bencher.dev/v0/repo/hash"].as_str().unwrap().len(), 40);
}

#[test]
fn warm_up_runs_come_first_and_are_no_results() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    let command = format!("echo x >> {0}; wc -l < {0}", count.display());
    let ended = world.bencher(&["run", "--project", "shop", "--warmup", "2", "--iter", "2", &command]);
    assert!(ended.stderr.contains("warm-up 1 of 2"), "{ended:?}");
    let results: Vec<String> = serde_json::from_value(sent(&world)["results"].clone()).unwrap();
    assert_eq!(results.iter().map(|result| result.trim()).collect::<Vec<_>>(), ["3", "4"]);

    let failing = World::always(201, shapes::report(1));
    let ended = failing.bencher(&["run", "--project", "shop", "--warmup", "1", "exit 3"]);
    assert!(ended.stderr.contains("failed in warm-up 1: exit status: 3"), "{ended:?}");
    assert!(failing.asked().is_empty());
}

#[test]
fn what_could_not_be_read_is_shown_and_ends_with_a_code_of_its_own() {
    let mut report = shapes::report(1);
    report["results"][0].as_array_mut().unwrap().pop();
    report["problems"] = json!([{ "iteration": 1, "origin": "result 2", "reason": "expected <JSON>, found `oops`" }]);
    let world = World::always(201, report);
    assert_snapshot!(world.bencher(&["run", "--project", "shop", "--quiet", "echo results"]).all(), @r"
    exit 1
    == stdout
    report   00000000-0000-4000-8000-000000000020
    project  The Shop (shop)
    branch   main (version 7, 0123456789ab)
    testbed  Small (spec small)
    adapter  magic
    started  2026-01-02 03:04:05Z

    BENCHMARK  LATENCY                         FILE SIZE
    gzip -6    12.35 ms (11.11 ms … 13.58 ms)  2 KiB

    NOT READ  REASON
    result 2  expected <JSON>, found `oops`
    == stderr

    report http://SERVER/v0/projects/shop/reports/00000000-0000-4000-8000-000000000020
    see it again with `bencher report view shop 00000000-0000-4000-8000-000000000020`
    error: 1 of the results could not be read, as the report says; the others are stored
    ");
    let html = world.bencher(&["run", "--project", "shop", "--quiet", "--format", "html", "echo results"]);
    assert_eq!(html.code, Some(1));
    assert!(html.stdout.contains("<h3>⚠️ 1 result could not be read</h3>"), "{html:?}");
    assert!(html.stdout.contains("<td>result 2</td><td><code>expected &lt;JSON&gt;, found `oops`</code></td>"), "{html:?}");
    let create = ["report", "create", "--branch", "main", "--testbed", "small", "--results", "x", "shop"];
    assert_eq!(world.bencher(&create).code, Some(1));
    // It can be looked at like any other.
    let view = world.bencher(&["report", "view", "shop", "00000000-0000-4000-8000-000000000020"]);
    assert_eq!(view.code, Some(0), "{view:?}");
}
