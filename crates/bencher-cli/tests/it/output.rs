//! Tables and JSON, data and talk.

use insta::assert_snapshot;
use serde_json::json;

use crate::{
    shapes,
    support::{Reply, World},
};

#[test]
fn a_list_is_a_table() {
    let world = World::new(|_| {
        Reply::ok(json!([shapes::project("shop"), shapes::project("a-longer-slug")])).header("x-total-count", "12")
    });
    assert_snapshot!(world.table(&["project", "list"]).all(), @r"
    exit 0
    == stdout
    SLUG           NAME      VISIBILITY  UUID                                  CREATED
    shop           The Shop  public      00000000-0000-4000-8000-000000000001  2026-01-02 03:04:05Z
    a-longer-slug  The Shop  public      00000000-0000-4000-8000-000000000001  2026-01-02 03:04:05Z
    == stderr
    2 of 12 shown; --page 2 shows the next, --per-page 12 shows all
    ");
}

#[test]
fn json_is_what_the_server_said_and_nothing_else() {
    let mut project = shapes::project("shop");
    project["new_in_a_later_version"] = json!({ "kept": 1.5 });
    let world = World::always(200, json!([project]));
    let ended = world.bencher(&["project", "list", "--format", "json"]);
    assert_eq!(ended.json(), json!([project]));
    assert_eq!(ended.stderr, "");
}

#[test]
fn what_the_registry_holds_and_keeps_is_told_in_few_lines() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let preview = json!({
        "tags": [{ "repository": "shop/http", "tag": "pr-17", "digest": digest, "modified": "2026-07-01T09:12:44Z" }],
        "manifests": 2,
    });
    let world = World::new(move |asked| match asked.path.rsplit('/').next() {
        Some("preview") => Reply::ok(preview.clone()),
        Some("retention") => Reply::ok(json!({ "keep_tags": 20, "keep_days": 90 })),
        _ => Reply::ok(json!({ "blobs": 7, "bytes": 3_u64 << 30, "quota": 1_u64 << 30 })),
    });
    let shown = |args: &[&str]| world.table(&[&["project", "registry"], args].concat()).stdout;
    assert_eq!(shown(&["view", "shop"]), "blobs  7\nheld   3 GiB\nquota  1 GiB\n");
    assert_eq!(shown(&["retention", "shop"]), "newest tags    20 of each repository\npushed within  90 days\n");
    let preview = shown(&["retention", "shop", "--keep-tags", "1", "--preview"]);
    assert!(
        preview.contains("shop/http:pr-17") && preview.ends_with("1 tags would go, and 2 manifests that nothing needs then\n")
    );
}

#[test]
fn an_empty_list_says_so() {
    let world = World::always(200, json!([]));
    let ended = world.table(&["spec", "list"]);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", "nothing here\n"));
    assert_eq!(world.bencher(&["spec", "list", "--format", "json"]).json(), json!([]));
}

#[test]
fn a_new_key_is_shown_once_with_a_note() {
    let key = format!("bencher_runner_{}", "x".repeat(30));
    let world = World::always(201, json!({ "uuid": shapes::JOB, "key": key }));
    assert_snapshot!(world.table(&["runner", "create", "--name", "Box"]).all(), @r"
    exit 0
    == stdout
    uuid  00000000-0000-4000-8000-000000000010

    bencher_runner_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    == stderr
    keep the key: it is not shown again. Start the runner with BENCHER_RUNNER_KEY and BENCHER_RUNNER (its UUID or slug)
    ");
}

#[test]
fn one_thing_is_a_list_of_its_parts() {
    let world = World::always(200, shapes::spec());
    assert_snapshot!(world.table(&["spec", "view", "small"]).stdout, @r"
    uuid          00000000-0000-4000-8000-000000000003
    name          Small
    slug          small
    os            linux
    architecture  x86_64
    sandbox       host
    cpu           2
    memory        2 GiB
    disk          10 GiB
    network       no
    fallback      no
    created       2026-01-02 03:04:05Z
    archived      -
    ");
}

#[test]
fn an_answer_that_is_not_understood_is_shown_as_json() {
    let world = World::always(200, json!({ "uuid": 7 }));
    let ended = world.table(&["project", "view", "shop"]);
    assert_eq!((ended.code, ended.json()), (Some(0), json!({ "uuid": 7 })));
    assert!(ended.stderr.contains("cannot read the answer"), "{ended:?}");
    assert_eq!(world.bencher(&["project", "view", "shop", "--strict"]).code, Some(4));
}

#[test]
fn a_servers_text_cannot_control_the_terminal() {
    let mut project = shapes::project("shop");
    project["name"] = json!("a\u{1b}[31mb");
    let world = World::always(200, json!([project]));
    assert!(!world.table(&["project", "list"]).stdout.contains('\u{1b}'));
}

#[test]
fn the_logs_of_a_job_keep_their_streams() {
    let output = json!({ "results": [
        { "exit_code": 0, "stdout": "one\n", "stderr": "warn\n" }, { "exit_code": 3, "stdout": "two\n" }
    ] });
    let world = World::always(200, shapes::job_with("failed", json!({ "output": output })));
    assert_snapshot!(world.bencher(&["job", "logs", "shop", shapes::JOB]).all(), @r"
    exit 0
    == stdout
    one
    two
    == stderr
    --- iteration 0, exit code 0
    warn
    --- iteration 1, exit code 3
    ");
    assert_eq!(world.bencher(&["job", "logs", "shop", shapes::JOB, "--iteration", "1"]).stdout, "two\n");
    assert_eq!(world.bencher(&["job", "logs", "shop", shapes::JOB, "--iteration", "2"]).code, Some(2));
}

#[test]
fn the_status_of_a_job_is_one_line() {
    let message = json!({ "message": "no runner serves the spec small" });
    let world = World::always(200, shapes::job_with("pending", message));
    assert_snapshot!(world.bencher(&["job", "status", "shop", shapes::JOB]).stdout, @"pending: no runner serves the spec small");
}

#[test]
fn a_job_that_is_over_cannot_be_canceled() {
    let world = World::new(|_| Reply::error(409, "the job is already processed"));
    let ended = world.bencher(&["job", "cancel", "shop", shapes::JOB]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.starts_with("error: the job is already processed (409 from POST "), "{ended:?}");
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    let many: Vec<_> = (0..5000).map(|_| shapes::project("shop")).collect();
    let world = World::always(200, json!(many));
    let mut child = world.command(&["project", "list", "--format", "json"]);
    let mut child = child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = world.end(child.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn help_documents_the_exit_codes() {
    let world = World::always(200, json!(null));
    assert_snapshot!(world.bencher(&["--help"]).stdout);
}

#[test]
fn completions_need_no_server() {
    let world = World::always(500, json!(null));
    let ended = world.bencher(&["completions", "bash"]);
    assert!(ended.stdout.contains("complete -F _bencher"), "{}", ended.stdout);
    assert!(world.asked().is_empty());
}

#[test]
fn what_is_piped_somewhere_is_json() {
    let world = World::always(200, json!([shapes::project("shop")]));
    assert_eq!(world.bencher(&["project", "list"]).json(), json!([shapes::project("shop")]));
    let world = World::always(200, shapes::job("running"));
    assert_eq!(world.bencher(&["job", "status", "shop", shapes::JOB]).stdout, "running\n", "text is text everywhere");
}

#[test]
fn the_last_page_of_a_list_has_no_next_one() {
    let world = World::new(|_| Reply::ok(json!([shapes::project("a"), shapes::project("b")])).header("x-total-count", "300"));
    let more = |page: &str| world.table(&["project", "list", "--page", page]).stderr;
    assert_eq!(more("3"), "2 of 300 shown; --page 4 shows the next, --per-page 255 shows more\n");
    assert_eq!(more("150"), "2 of 300 shown; --per-page 255 shows more\n");
}

#[test]
fn only_a_run_prints_html() {
    let world = World::always(200, json!([]));
    let ended = world.bencher(&["project", "list", "--format", "html"]);
    assert_eq!((ended.code, world.asked().len()), (Some(2), 0), "{ended:?}");
}

#[test]
fn scripts_are_never_asked() {
    let world = World::new(|_| Reply::text(204, ""));
    for args in [&["project", "delete", "shop"][..], &["project", "delete", "shop", "-y", "--format", "json"]] {
        let ended = world.bencher(args);
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "", ""));
    }
    assert_eq!(world.paths(), ["DELETE /v0/projects/shop"; 2]);
}

#[test]
fn thresholds_and_alerts_are_tables() {
    let mut threshold = shapes::alert()["threshold"].clone();
    threshold["model"] = json!({
        "uuid": shapes::JOB, "test": "t_test", "max_sample_size": 64, "upper_boundary": 0.99, "created": "2026-01-02T03:04:05Z"
    });
    let world = World::always(200, threshold.clone());
    assert_snapshot!(world.table(&["threshold", "view", "shop", shapes::JOB]).stdout);
    let world = World::always(200, json!([threshold]));
    assert_snapshot!(world.table(&["threshold", "list", "shop"]).stdout);
    let world = World::always(200, json!([shapes::alert()]));
    assert_snapshot!(world.table(&["alert", "list", "shop"]).stdout);
    let world = World::always(200, shapes::alert());
    assert_snapshot!(world.table(&["alert", "view", "shop", shapes::JOB]).stdout);
}

#[test]
fn the_history_comes_in_columns_where_that_is_wanted() {
    let perf = shapes::perf();
    let series = &perf["results"][0];
    let columns = json!({
        "project": perf["project"], "branches": [series["branch"]], "testbeds": [series["testbed"]],
        "benchmarks": [series["benchmark"]], "measures": [series["measure"]],
        "reports": { "uuid": [], "start_time": [], "end_time": [], "version_number": [], "version_hash": [] }, "series": []
    });
    let uuid = shapes::JOB;
    let asked = |world: &World, more: &str| {
        let args = ["perf", "shop", "--branches", uuid, "--testbeds", uuid, "--benchmarks", uuid, "--measures", uuid, more];
        world.bencher(&args)
    };
    let world = World::always(200, columns.clone());
    assert_eq!(asked(&world, "--columns").json(), columns);
    assert_eq!(asked(&world, "--columns=bounds,thresholds").json(), columns);
    let requests = world.asked();
    assert!(requests.iter().all(|request| request.headers["accept"] == "application/vnd.bencher.perf-columns+json"));
    assert!(!requests[0].path.contains("columns="), "{}", requests[0].path);
    assert!(requests[1].path.contains("columns=bounds%2Cthresholds"), "{}", requests[1].path);

    let old = World::always(200, perf);
    assert_eq!(asked(&old, "--columns").code, Some(4), "a server without columns");
}

#[test]
fn the_history_is_a_table_in_any_style() {
    let world = World::always(200, shapes::perf());
    let uuid = shapes::JOB;
    let perf = |more: &[&str]| {
        let args = ["perf", "shop", "--branches", uuid, "--testbeds", uuid, "--benchmarks", uuid, "--measures", uuid];
        world.bencher(&[&args[..], more].concat())
    };
    assert_eq!(perf(&[]).json(), shapes::perf());
    assert_snapshot!(perf(&["--table"]).stdout);
    assert_snapshot!(perf(&["--table=markdown"]).stdout);
    assert_eq!(perf(&["--table=nope"]).code, Some(2));
    assert_eq!(perf(&["--heads", &format!("{uuid},{uuid}")]).code, Some(2), "more heads than branches");
}

#[test]
fn a_report_tells_of_the_changes_that_nobody_has_put_aside() {
    let mut report = shapes::report(1);
    let result = report["results"][0][0].clone();
    let regime = |mean: f64| json!({ "points": 20, "mean": mean, "deviation": 1 });
    let change = |part: &str, status: &str, version: serde_json::Value| {
        json!({
            "uuid": shapes::JOB, "part": part, "status": status, "report": shapes::REPORT, "version": version,
            "benchmark": result["benchmark"], "measure": result["measures"][0]["measure"],
            "shift": { "before": regime(100.0), "after": regime(112.3), "change": 0.123, "p_value": 1e-9 },
        })
    };
    let hash = "0123456789abcdef0123456789abcdef01234567";
    report["change_points"] = json!([
        change("started", "accepted", json!({ "number": 7 })),
        change("confirmed", "accepted", json!({ "number": 3, "hash": hash })),
        change("started", "dismissed", json!({ "number": 9 })),
    ]);
    let world = World::always(200, report.clone());
    let human = world.table(&["report", "view", "shop", shapes::REPORT]).stdout;
    assert!(human.contains("Latency changed at version 7: +12.3 % (100 ns → 112.3 ns)\n"), "{human}");
    assert!(human.contains("changed at 0123456789ab: +12.3 % (100 ns → 112.3 ns), seen with this report\n"), "{human}");
    assert!(!human.contains("version 9"), "{human}");
    let world = World::always(201, report);
    let html = world.bencher(&["run", "--project", "shop", "--format", "html", "--quiet", "echo x"]).stdout;
    assert!(
        html.contains("<th>When it changed</th>")
            && html.contains("<code>changed at version 7: +12.3 % (100 ns → 112.3 ns)</code>"),
        "{html}"
    );
}
