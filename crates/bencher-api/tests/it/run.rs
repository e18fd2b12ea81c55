//! `POST /v0/run` and the reports it makes.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    setup::{TestUser, refused, unmarked},
    support::{TestServer, on_each_database},
};

const REPORTS: &str = "/v0/projects/shop/reports";

fn bmf(benchmark: &str, value: f64) -> String {
    json!({ benchmark: { "latency": { "value": value, "lower_value": value - 1.0 } } }).to_string()
}

/// Local results for the project `shop`.
fn run(results: &[String]) -> Value {
    json!({
        "project": "shop", "results": results,
        "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z",
    })
}

fn with(mut run: Value, more: Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        run[key] = value.clone();
    }
    run
}

fn hash(digit: char) -> String {
    String::from_iter([digit; 40])
}

/// A user with the public project `shop`.
async fn shop(server: &TestServer) -> TestUser {
    server.sign_up("Ada").await;
    let bob = server.sign_up("Bob").await;
    server.project(&bob, "Shop", "public").await;
    bob
}

#[tokio::test]
async fn local_results_become_a_report() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let report = server.create("/v0/run", &bob, run(&[bmf("sort", 5.0), bmf("sort", 7.0)])).await;
        assert_eq!((&report["branch"]["name"], &report["testbed"]["name"]), (&json!("main"), &json!("localhost")));
        assert_eq!((&report["adapter"], &report["user"]["slug"], report.get("job")), (&json!("magic"), &json!("bob"), None));
        assert_eq!(report["branch"]["head"]["version"], json!({ "number": 0 }));
        assert_eq!(report["counts"]["results"], json!([{ "benchmarks": 1, "measures": 1 }, { "benchmarks": 1, "measures": 1 }]));
        let second = &report["results"][1][0];
        assert_eq!((&second["iteration"], &second["benchmark"]["name"]), (&json!(1), &json!("sort")));
        let measure = &second["measures"][0];
        assert_eq!((&measure["measure"]["slug"], &measure["measure"]["units"]), (&json!("latency"), &json!("nanoseconds (ns)")));
        assert_eq!((&measure["metric"]["value"], &measure["metric"]["lower_value"]), (&json!(7.0), &json!(6.0)));

        let uuid = report["uuid"].as_str().unwrap();
        assert_eq!(server.send(Method::GET, &format!("{REPORTS}/{uuid}"), None, None).await.1, report);
        let metric = measure["metric"]["uuid"].as_str().unwrap();
        let (_, one) = server.send(Method::GET, &format!("/v0/projects/shop/metrics/{metric}"), None, None).await;
        assert_eq!((&one["report"], &one["iteration"], &one["metric"]), (&report["uuid"], &json!(1), &measure["metric"]));
        assert_eq!(
            (&one["benchmark"]["slug"], &one["measure"]["slug"], &one["branch"]),
            (&json!("sort"), &json!("latency"), &report["branch"])
        );
    })
    .await;
}

#[tokio::test]
async fn a_fold_makes_one_iteration() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let settings = json!({ "settings": { "adapter": "json", "fold": "mean" } });
        let report = server.create("/v0/run", &bob, with(run(&[bmf("sort", 5.0), bmf("sort", 7.0)]), settings)).await;
        assert_eq!(report["results"].as_array().unwrap().len(), 1);
        assert_eq!(report["results"][0][0]["measures"][0]["metric"]["value"], 6.0);
        assert_eq!(report["adapter"], "json");
    })
    .await;
}

#[tokio::test]
async fn many_benchmarks_are_stored_and_kept_apart() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let mut results = serde_json::Map::new();
        for number in 0..3000 {
            // Names whose slugs are all the same.
            results.insert(format!("sort<{}>", "!".repeat(number % 900 + 1)), json!({ "latency": { "value": number } }));
            results.insert(format!("b{number}"), json!({ "latency": { "value": number }, "memory": { "value": 1 } }));
        }
        let count = results.len();
        let results = [Value::Object(results).to_string()];
        let report = server.create("/v0/run", &bob, run(&results)).await;
        assert_eq!(report["counts"]["results"], json!([{ "benchmarks": count, "measures": 2 }]));
        let again = server.create("/v0/run", &bob, run(&results)).await;
        assert_eq!(again["results"][0][0]["benchmark"], report["results"][0][0]["benchmark"]);
        assert_eq!(server.list("/v0/projects/shop/benchmarks", None, "uuid").await.1, count as u64);
        assert_eq!(server.list("/v0/projects/shop/measures", None, "slug").await.0, ["latency", "memory"]);
    })
    .await;
}

#[tokio::test]
async fn results_that_no_adapter_understands_are_refused_and_nothing_is_stored() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let settings = json!({ "settings": { "adapter": "json" } });
        let answer = server.post("/v0/run", &bob, with(run(&["no".to_owned(), "oops".to_owned()]), settings)).await;
        refused((answer.0, answer.1.clone()), 400, "none of the results could be read: result 1: the `json` adapter expected");
        refused(answer, 400, "; result 2: the `json` adapter expected");
        refused(server.post("/v0/run", &bob, run(&["oops".to_owned()])).await, 400, "no adapter understands the output");
        refused(server.post("/v0/run", &bob, run(&[])).await, 400, "no results");
        let twice = json!({ "sort": { "latency": { "value": 1 }, "Latency": { "value": 2 } } }).to_string();
        refused(server.post("/v0/run", &bob, run(&[twice])).await, 400, "twice");
        assert_eq!(server.list(REPORTS, None, "uuid").await.1, 0);
        assert_eq!(server.list("/v0/projects/shop/branches", None, "uuid").await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_key_gives_the_same_report_even_at_once() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let key = json!({ "idempotency_key": uuid::Uuid::new_v4() });
        let runs = (0..12).map(|_| server.create("/v0/run", &bob, with(run(&[bmf("sort", 1.0)]), key.clone())));
        let (reports, repeated): (Vec<_>, Vec<_>) = join_all(runs).await.into_iter().map(unmarked).unzip();
        assert!(reports.iter().all(|report| report == &reports[0]));
        assert_eq!(repeated.iter().filter(|repeated| !**repeated).count(), 1, "one of them filed it");
        assert_eq!(server.list(REPORTS, None, "uuid").await.1, 1);
    })
    .await;
}

#[tokio::test]
async fn runs_at_once_share_what_they_make_and_number_their_versions() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let runs = (0..12).map(|number| {
            let more =
                json!({ "branch": "feature/x", "testbed": "Box", "hash": hash(char::from_digit(number % 4, 16).unwrap()) });
            server.create("/v0/run", &bob, with(run(&[bmf("sort", 1.0)]), more))
        });
        let mut versions: Vec<(u64, String)> = join_all(runs)
            .await
            .iter()
            .map(|report| {
                let version = &report["branch"]["head"]["version"];
                (version["number"].as_u64().unwrap(), version["hash"].as_str().unwrap().to_owned())
            })
            .collect();
        versions.sort();
        versions.dedup();
        assert_eq!(versions.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 2, 3]);
        for kind in ["branches", "testbeds", "benchmarks", "measures"] {
            assert_eq!(server.list(&format!("/v0/projects/shop/{kind}"), None, "uuid").await.1, 1, "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_run_without_a_hash_is_a_new_version() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        for number in 0..3 {
            let report = server.create("/v0/run", &bob, run(&[bmf("sort", 1.0)])).await;
            assert_eq!(report["branch"]["head"]["version"], json!({ "number": number }));
        }
        let newest = &server.get("/v0/projects/shop/branches/main", &bob).await.1["head"]["version"];
        assert_eq!(newest, &json!({ "number": 2 }));
    })
    .await;
}

#[tokio::test]
async fn a_run_takes_what_it_uses_out_of_the_archive() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let sent = run(&[bmf("sort", 1.0)]);
        server.create("/v0/run", &bob, sent.clone()).await;
        let used = [("branches", "main"), ("testbeds", "localhost"), ("benchmarks", "sort"), ("measures", "latency")];
        for (kind, id) in used {
            server.patch(&format!("/v0/projects/shop/{kind}/{id}"), &bob, json!({ "archived": true })).await;
        }
        assert_eq!(server.list(REPORTS, None, "uuid").await.1, 0);
        assert_eq!(server.list(&format!("{REPORTS}?archived=true"), None, "uuid").await.1, 1);
        server.create("/v0/run", &bob, sent).await;
        for (kind, id) in used {
            let (_, found) = server.get(&format!("/v0/projects/shop/{kind}/{id}"), &bob).await;
            assert!(found.get("archived").is_none(), "{kind}");
        }
        assert_eq!(server.list(REPORTS, None, "uuid").await.1, 2);
    })
    .await;
}

#[tokio::test]
async fn the_context_stands_in_for_names() {
    on_each_database(async |server| {
        server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let sent = json!({
            "results": [bmf("sort", 1.0)], "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z",
            "context": {
                "bencher.dev/v0/repo/name": "My Tool", "bencher.dev/v0/branch/ref/name": "dev", "bencher.dev/v0/branch/hash": hash('a'),
                "bencher.dev/v0/testbed/os": "Linux",
            },
        });
        let report = server.create("/v0/run", &bob, sent.clone()).await;
        assert_eq!((&report["project"]["slug"], &report["branch"]["name"], &report["testbed"]["name"]), (&json!("my-tool"), &json!("dev"), &json!("Linux")));
        assert_eq!(report["branch"]["head"]["version"]["hash"], hash('a'));
        assert_eq!(server.create("/v0/run", &bob, sent.clone()).await["project"], report["project"]);
        refused(server.send(Method::POST, "/v0/run", None, Some(sent.clone())).await, 401, "log-in");
        refused(server.post("/v0/run", &bob, with(sent, json!({ "context": {} }))).await, 400, "names no project");
    })
    .await;
}

#[tokio::test]
async fn only_who_may_files_under_a_project() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        server.project(&bob, "Closed", "private").await;
        let eve = server.sign_up("Eve").await;
        let sent = run(&[bmf("sort", 1.0)]);
        let closed = with(sent.clone(), json!({ "project": "closed" }));
        refused(server.send(Method::POST, "/v0/run", None, Some(sent.clone())).await, 401, "log-in");
        refused(server.post("/v0/run", &eve, sent.clone()).await, 403, "no member");
        refused(server.send(Method::POST, "/v0/run", None, Some(closed.clone())).await, 404, "Project (closed)");
        refused(server.post("/v0/run", &eve, closed.clone()).await, 404, "Project (closed)");

        let report = server.create("/v0/run", &bob, closed).await;
        let path = format!("/v0/projects/closed/reports/{}", report["uuid"].as_str().unwrap());
        refused(server.get(&path, &eve).await, 404, "Project (closed)");
        refused(server.send(Method::GET, "/v0/projects/closed/reports", None, None).await, 404, "Project (closed)");
        assert_eq!(server.delete(&path, &bob).await.0, StatusCode::NO_CONTENT);
        refused(server.get(&path, &bob).await, 404, "Report");
    })
    .await;
}

#[tokio::test]
async fn empty_defaults_mean_nothing() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let sent = run(&[bmf("sort", 1.0)]);
        let empty = json!({ "start_point": { "max_versions": 255 }, "thresholds": { "models": null, "reset": false } });
        server.create("/v0/run", &bob, with(sent.clone(), empty)).await;
        let unknown = json!({ "branch": uuid::Uuid::new_v4() });
        refused(server.post("/v0/run", &bob, with(sent, unknown)).await, 404, "Branch");
    })
    .await;
}

#[tokio::test]
async fn reports_are_listed_newest_first_and_filtered() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let mut uuids = Vec::new();
        for day in 1..=3 {
            let sent = json!({
                "branch": if day == 2 { "dev" } else { "main" }, "testbed": "box", "results": [bmf("sort", f64::from(day))],
                "start_time": format!("2026-01-0{day}T00:00:00Z"), "end_time": format!("2026-01-0{day}T01:00:00Z"),
            });
            uuids.push(server.create(REPORTS, &bob, sent).await["uuid"].as_str().unwrap().to_owned());
        }
        let listed = |query: &str| {
            let (server, path) = (&server, format!("{REPORTS}{query}"));
            async move { server.list(&path, None, "uuid").await }
        };
        let newest_first: Vec<String> = uuids.iter().rev().cloned().collect();
        assert_eq!(listed("").await, (newest_first, 3));
        assert_eq!(listed("?sort=date_time&direction=asc&per_page=2").await, (uuids[..2].to_vec(), 3));
        assert_eq!(listed("?branch=dev").await, (vec![uuids[1].clone()], 1));
        // 2026-01-02T12:00:00Z
        assert_eq!(listed("?start_time=1767355200000").await, (vec![uuids[2].clone()], 1));
        assert_eq!(listed("?testbed=none").await, (vec![], 0));

        let (_, short) = server.get(REPORTS, &bob).await;
        assert_eq!(
            (short[0].get("results"), &short[0]["counts"]["results"]),
            (None, &json!([{ "benchmarks": 1, "measures": 1 }]))
        );
        let (_, long) = server.get(&format!("{REPORTS}?expand=true"), &bob).await;
        assert_eq!(long[0]["results"][0][0]["measures"][0]["metric"]["value"], 3.0);
    })
    .await;
}

#[tokio::test]
async fn reports_of_a_branch_are_not_those_of_one_whose_slug_is_its_name() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        for branch in ["feature/x", "feature-x"] {
            server.create("/v0/projects/shop/branches", &bob, json!({ "name": branch })).await;
            server.create("/v0/run", &bob, with(run(&[bmf("sort", 1.0)]), json!({ "branch": branch }))).await;
        }
        for branch in ["feature/x", "feature-x"] {
            let (_, found) = server.get(&format!("{REPORTS}?branch={branch}"), &bob).await;
            let names: Vec<_> = found.as_array().unwrap().iter().map(|report| &report["branch"]["name"]).collect();
            assert_eq!(names, [branch]);
        }
    })
    .await;
}
