//! Results that are not what anybody hopes for: each is refused with a reason, or has a result that is documented in
//! `docs/adapters.md`.

use serde_json::{Value, json};

use crate::{
    alerts::report_of_job,
    filing::{PROJECT, boundary, hash, run, shop, sort, text},
    setup::refused,
    support::on_each_database,
};

/// A run of these texts.
fn run_of(results: &[&str], more: Value) -> Value {
    let mut run = run(&[], more);
    run["results"] = json!(results);
    run
}

/// Of each problem of a report its iteration and what it is of.
fn problems(report: &Value) -> Vec<(u64, &str)> {
    let of = |problem: &'_ Value| problem["iteration"].as_u64().expect("a problem has an iteration");
    let list = report["problems"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|problem| (of(problem), problem["origin"].as_str().unwrap_or_default())).collect()
}

#[tokio::test]
async fn a_result_that_cannot_be_read_is_named_in_the_report_and_the_others_count() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let (good, better) = (sort(1.0).to_string(), sort(2.0).to_string());
        let json_only = json!({ "settings": { "adapter": "json" } });
        let sent = run_of(&[&good, "oops", &better, r#"{"sort": {"latency": {"value": 1"#], json_only);
        let report = server.create("/v0/run", &bob, sent.clone()).await;
        let iterations = report["results"].as_array().unwrap().iter().map(|results| results[0]["iteration"].clone());
        assert_eq!(iterations.collect::<Vec<_>>(), [0, 2]);
        assert_eq!(problems(&report), [(1, "result 2"), (3, "result 4")]);
        let reason = |number: usize| text(&report["problems"][number], "reason");
        assert!(reason(0).starts_with("the `json` adapter expected") && reason(0).contains("`oops`"), "{}", reason(0));
        assert!(reason(1).contains("EOF while parsing"), "{}", reason(1));
        let path = format!("{PROJECT}/reports/{}", text(&report, "uuid"));
        assert_eq!(server.found(&path, &bob).await, report);
        let list = server.found(&format!("{PROJECT}/reports"), &bob).await;
        assert_eq!(problems(&list[0]), problems(&report));

        let mut folded = sent;
        folded["settings"]["fold"] = json!("max");
        folded["branch"] = json!("main");
        let report = server.create(&format!("{PROJECT}/reports"), &bob, folded).await;
        assert_eq!(report["results"][0][0]["measures"][0]["metric"]["value"], 2.0);
        assert_eq!(problems(&report), [(1, "result 2"), (3, "result 4")]);
        let report = server.file(&bob, 1.0, json!({})).await;
        assert_eq!(report.get("problems"), None);
    })
    .await;
}

#[tokio::test]
async fn a_file_of_a_job_that_cannot_be_read_is_named_in_the_report_and_the_others_count() {
    on_each_database(async |server| {
        shop(&server).await;
        let ada = server.confirm("ada@example.com").await;
        server.spec(&ada, "Small", true).await;
        let files = json!({ "a.json": "oops", "b.json": sort(5.0).to_string() });
        let iterations = json!([{ "exit_code": 0, "stdout": sort(4.0).to_string() }, { "exit_code": 0, "output": files }]);
        let report = report_of_job(&server, iterations, json!({})).await;
        let value = |iteration: usize| report["results"][iteration][0]["measures"][0]["metric"]["value"].clone();
        assert_eq!((value(0), value(1)), (json!(4.0), json!(5.0)));
        assert_eq!(problems(&report), [(1, "iteration 2, a.json")]);
        let job = server.found(&format!("{PROJECT}/jobs/{}", text(&report, "job")), &ada).await;
        assert!(text(&job, "message").starts_with("iteration 2, a.json: "), "{job:#}");
    })
    .await;
}

#[tokio::test]
async fn names_of_any_script_are_kept_as_they_are() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        // Two ways to write an é, right to left, no letter at all, quotes and what SQL would like, and the longest.
        let longest = "🦀".repeat(256);
        let names =
            ["caf\u{e9}", "cafe\u{301}", "ترتيب", "→ ↑ →", r#"{"a",NULL,'b'}"#, "%_\\ ;--", "tab\there", longest.as_str()];
        let results: Value = names.iter().map(|name| ((*name).to_owned(), json!({ "latency": { "value": 1 } }))).collect();
        let first = server.create("/v0/run", &bob, run(std::slice::from_ref(&results), json!({}))).await;
        let again = server.create("/v0/run", &bob, run(&[results], json!({}))).await;
        for report in [&first, &again] {
            let listed = report["results"][0].as_array().unwrap().iter().map(|result| text(&result["benchmark"], "name"));
            let mut listed: Vec<String> = listed.collect();
            listed.sort();
            let mut expected = names.map(str::to_owned);
            expected.sort();
            assert_eq!(listed, expected);
        }
        assert_eq!(server.list(&format!("{PROJECT}/benchmarks"), None, "uuid").await.1, names.len() as u64);
        let too_long = json!({ format!("{longest}.") : { "latency": { "value": 1 } } });
        let answer = server.post("/v0/run", &bob, run(&[too_long], json!({ "settings": { "adapter": "json" } }))).await;
        refused(answer, 400, "expected 1 to 1024 bytes");
    })
    .await;
}

#[tokio::test]
async fn a_run_that_ends_before_it_begins_has_taken_no_time() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let began = "2026-01-01T00:00:05Z";
        let times = json!({ "start_time": began, "end_time": "2026-01-01T00:00:01Z" });
        let report = server.file(&bob, 1.0, times).await;
        assert_eq!((text(&report, "start_time"), text(&report, "end_time")), (began.to_owned(), began.to_owned()));
        let path = format!("{PROJECT}/reports/{}", text(&report, "uuid"));
        assert_eq!(server.found(&path, &bob).await, report);
    })
    .await;
}

#[tokio::test]
async fn the_order_of_commits_goes_before_that_of_clocks() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let model = json!({ "models": { "latency": { "test": "percentage", "upper_boundary": 0.1, "max_sample_size": 1 } } });
        let at = |day: u32, digit: char| json!({ "hash": hash(digit), "start_time": format!("2026-01-{day:02}T00:00:00Z") });
        let mut first = at(20, 'a');
        first["thresholds"] = model;
        server.file(&bob, 100.0, first).await;
        // The clock went back ten days.
        server.file(&bob, 200.0, at(10, 'b')).await;
        let third = server.file(&bob, 300.0, at(11, 'c')).await;
        assert_eq!(boundary(&third)["baseline"], 200.0, "the newest is what was filed last");
        // The same commit, with a clock that went back again: what was filed of it is the newest all the same.
        let late = server.file(&bob, 400.0, at(9, 'c')).await;
        assert_eq!(boundary(&late)["baseline"], 300.0);
    })
    .await;
}

#[tokio::test]
async fn a_commit_on_two_branches_is_a_version_of_each() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let file = async |branch: &str, digit: char| {
            let report = server.file(&bob, 1.0, json!({ "branch": branch, "hash": hash(digit) })).await;
            report["branch"]["head"]["version"].clone()
        };
        assert_eq!(file("main", 'a').await, json!({ "number": 0, "hash": hash('a') }));
        assert_eq!(file("main", 'b').await, json!({ "number": 1, "hash": hash('b') }));
        assert_eq!(file("dev", 'b').await, json!({ "number": 0, "hash": hash('b') }));
        assert_eq!(file("dev", 'a').await, json!({ "number": 1, "hash": hash('a') }));
        // And on the same one again: no new version.
        assert_eq!(file("main", 'a').await, json!({ "number": 0, "hash": hash('a') }));
    })
    .await;
}
