//! Change points: found after results were filed, stored, served and decided about.

use bencher_api::change_point::{self, Looked};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    filing::{PROJECT, boundary, run, shop, text},
    setup::{TestUser, refused},
    support::{TestServer, at_rest_on_each_database, on_each_database},
};

const CHANGE_POINTS: &str = "/v0/projects/shop/change-points";
/// Far more than anything here takes; only a test that fails waits so long.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// A commit for each number.
pub(crate) fn commit(number: usize) -> String {
    format!("{number:040x}")
}

/// A time for each number, an hour after the one before.
pub(crate) fn hour(number: usize) -> String {
    format!("2026-{:02}-{:02}T{:02}:00:00Z", number / 672 + 1, number / 24 % 28 + 1, number % 24)
}

/// Around a level, never twice the same in a row.
pub(crate) fn near(level: f64, number: usize) -> f64 {
    level + [0.0, 0.4, -0.3, 0.2, -0.5][number % 5]
}

/// Files a value for each commit from this one on, around a level.
async fn file(server: &TestServer, user: &TestUser, numbers: std::ops::Range<usize>, level: f64) -> Vec<Value> {
    let mut reports = Vec::new();
    for number in numbers {
        let more = json!({
            "branch": "main", "hash": commit(number), "start_time": hour(number), "end_time": hour(number),
        });
        reports.push(server.file(user, near(level, number), more).await);
    }
    reports
}

/// Looks through all that is due.
pub(crate) async fn look(server: &TestServer) {
    while change_point::look(&server.app).await.unwrap() != Looked::Nothing {}
}

async fn list(server: &TestServer, user: &TestUser, query: &str) -> Vec<Value> {
    server.found(&format!("{CHANGE_POINTS}{query}"), user).await.as_array().unwrap().clone()
}

/// Where the one series that was filed is served.
pub(crate) fn perf_of(report: &Value) -> String {
    let of = |value: &Value| text(value, "uuid");
    let result = &report["results"][0][0];
    format!(
        "?branches={}&testbeds={}&benchmarks={}&measures={}",
        of(&report["branch"]),
        of(&report["testbed"]),
        of(&result["benchmark"]),
        of(&result["measures"][0]["measure"])
    )
}

#[tokio::test]
async fn a_change_names_the_report_that_began_it_and_the_one_that_confirmed_it() {
    at_rest_on_each_database(async |server| {
        let bob = shop(&server).await;
        let mut reports = file(&server, &bob, 0..20, 100.0).await;
        reports.extend(file(&server, &bob, 20..32, 101.0).await);
        assert_eq!(list(&server, &bob, "").await, [Value::Null; 0], "nothing was looked through yet");
        look(&server).await;

        let found = list(&server, &bob, "").await;
        let [point] = &found[..] else { panic!("{found:#?}") };
        assert_eq!((&point["report"], &point["status"]), (&reports[20]["uuid"], &json!("accepted")));
        assert_eq!(point["branch"]["head"]["version"], json!({ "number": 20, "hash": commit(20) }));
        assert_eq!(point["metric"], reports[20]["results"][0][0]["measures"][0]["metric"]);
        let names = ["testbed", "benchmark", "measure"].map(|of| text(&point[of], "name"));
        assert_eq!(names, ["box", "sort", "Latency"]);
        let shift = &point["shift"];
        assert_eq!((&shift["before"]["points"], &shift["after"]["points"]), (&json!(20), &json!(12)));
        assert!((shift["change"].as_f64().unwrap() - 0.01).abs() < 0.001, "{shift}");
        assert!(shift["p_value"].as_f64().unwrap() < 0.001, "{shift}");
        let uuid = text(point, "uuid");
        assert_eq!(&server.found(&format!("{CHANGE_POINTS}/{uuid}"), &bob).await, point);

        let parts = async |report: &Value| {
            let report = server.found(&format!("{PROJECT}/reports/{}", text(report, "uuid")), &bob).await;
            let points = report["change_points"].as_array().cloned().unwrap_or_default();
            points.iter().map(|point| (text(point, "uuid"), text(point, "part"))).collect::<Vec<_>>()
        };
        assert_eq!(parts(&reports[20]).await, [(uuid.clone(), "started".to_owned())]);
        let confirming = reports.iter().position(|report| report["uuid"] == point["confirmed_by"]).unwrap();
        assert!((21..30).contains(&confirming), "{confirming}");
        assert_eq!(parts(&reports[confirming]).await, [(uuid.clone(), "confirmed".to_owned())]);
        assert_eq!(parts(&reports[19]).await, []);
        let started = server.found(&format!("{PROJECT}/reports/{}", text(&reports[20], "uuid")), &bob).await;
        assert_eq!(started["change_points"][0]["version"], point["branch"]["head"]["version"]);
        assert_eq!(&started["change_points"][0]["shift"], shift);

        let perf = server.found(&format!("{PROJECT}/perf{}", perf_of(&reports[0])), &bob).await;
        let of_series = json!([{ "uuid": uuid, "status": "accepted", "metric": point["metric"]["uuid"], "shift": shift }]);
        assert_eq!(perf["results"][0]["change_points"], of_series);
        let early = format!("{PROJECT}/perf{}&end_time=1767261600000", perf_of(&reports[0]));
        assert_eq!(server.found(&early, &bob).await["results"][0].get("change_points"), None, "it was later");
    })
    .await;
}

#[tokio::test]
async fn change_points_are_listed_dismissed_and_accepted_again_by_members() {
    at_rest_on_each_database(async |server| {
        let bob = shop(&server).await;
        let eve = server.sign_up("Eve").await;
        file(&server, &bob, 0..15, 100.0).await;
        file(&server, &bob, 15..30, 110.0).await;
        file(&server, &bob, 30..45, 90.0).await;
        look(&server).await;
        let listed = async |query: &str| server.list(&format!("{CHANGE_POINTS}{query}"), None, "uuid").await;
        let (uuids, total) = listed("").await;
        assert_eq!((uuids.len(), total), (2, 2));
        let (later, earlier) = (uuids[0].clone(), uuids[1].clone());
        assert_eq!(listed("?direction=asc&per_page=1").await, (vec![earlier.clone()], 2));
        assert_eq!(listed("?sort=created").await.1, 2);
        for (query, count) in [
            ("?branch=main&testbed=box&benchmark=sort&measure=latency", 2),
            ("?branch=other", 0),
            ("?testbed=other", 0),
            ("?benchmark=other", 0),
            ("?measure=other", 0),
            ("?status=dismissed", 0),
            ("?archived=true", 0),
        ] {
            assert_eq!(listed(query).await.1, count, "{query}");
        }

        let path = format!("{CHANGE_POINTS}/{earlier}");
        refused(server.patch(&path, &eve, json!({ "status": "dismissed" })).await, 403, "no member");
        refused(server.patch(&path, &bob, json!({ "status": "gone" })).await, 400, "gone");
        refused(server.get(&format!("{CHANGE_POINTS}/{}", uuid::Uuid::new_v4()), &bob).await, 404, "Change point");
        let (status, dismissed) = server.patch(&path, &bob, json!({ "status": "dismissed" })).await;
        assert_eq!((status, &dismissed["status"]), (StatusCode::OK, &json!("dismissed")));
        assert_eq!(dismissed["decisions"][0]["user"]["uuid"], bob.uuid);
        assert_eq!(server.patch(&path, &bob, json!({})).await.1, dismissed);
        assert_eq!(listed("?status=dismissed").await, (vec![earlier.clone()], 1));
        assert_eq!(listed("?status=accepted").await.0, [later]);

        // What was decided holds when more is filed.
        file(&server, &bob, 45..48, 90.0).await;
        look(&server).await;
        assert_eq!(listed("?status=dismissed").await.0, [earlier]);
        let (_, accepted) = server.patch(&path, &bob, json!({ "status": "accepted" })).await;
        let decided: Vec<String> = accepted["decisions"].as_array().unwrap().iter().map(|made| text(made, "status")).collect();
        assert_eq!(decided, ["dismissed", "accepted"]);
        server.patch(&format!("{PROJECT}/benchmarks/sort"), &bob, json!({ "archived": true })).await;
        assert_eq!((listed("").await.1, listed("?archived=true").await.1), (0, 2));
    })
    .await;
}

#[tokio::test]
async fn deleted_reports_leave_the_change_points_of_what_is_left() {
    at_rest_on_each_database(async |server| {
        let bob = shop(&server).await;
        file(&server, &bob, 0..20, 100.0).await;
        let reports = file(&server, &bob, 20..40, 110.0).await;
        look(&server).await;
        let delete = async |report: &Value| {
            let path = format!("{PROJECT}/reports/{}", text(report, "uuid"));
            assert_eq!(server.delete(&path, &bob).await.0, StatusCode::NO_CONTENT);
        };
        delete(&reports[0]).await;
        assert_eq!(list(&server, &bob, "").await, [Value::Null; 0], "it went with its report");
        look(&server).await;
        let found = list(&server, &bob, "").await;
        assert_eq!(found.iter().map(|point| &point["report"]).collect::<Vec<_>>(), [&reports[1]["uuid"]]);
        for report in &reports[1..] {
            delete(report).await;
        }
        look(&server).await;
        assert_eq!(list(&server, &bob, "").await, [Value::Null; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_head_that_takes_another_ones_place_begins_without_change_points() {
    at_rest_on_each_database(async |server| {
        let bob = shop(&server).await;
        let first = file(&server, &bob, 0..20, 100.0).await;
        file(&server, &bob, 20..40, 110.0).await;
        look(&server).await;
        let point = text(&list(&server, &bob, "").await[0], "uuid");
        // A branch that begins where the other one is shows the other one's history, and the changes in it.
        let more = json!({ "branch": "dev", "start_point": { "branch": "main" }, "hash": commit(99), "start_time": hour(99) });
        let started = server.file(&bob, 110.0, more).await;
        look(&server).await;
        let perf = server.found(&format!("{PROJECT}/perf{}", perf_of(&started)), &bob).await;
        assert_eq!(perf["results"][0]["change_points"][0]["uuid"], point);

        let reset = json!({ "branch": "main", "start_point": { "reset": true }, "start_time": hour(100) });
        server.file(&bob, 110.0, reset).await;
        look(&server).await;
        assert_eq!(list(&server, &bob, "?branch=main").await, [Value::Null; 0]);
        let head = text(&first[0]["branch"]["head"], "uuid");
        assert_eq!(text(&list(&server, &bob, &format!("?head={head}")).await[0], "uuid"), point);
    })
    .await;
}

#[tokio::test]
async fn a_threshold_may_look_back_to_the_last_accepted_change_point_only() {
    at_rest_on_each_database(async |server| {
        let bob = shop(&server).await;
        file(&server, &bob, 0..20, 100.0).await;
        file(&server, &bob, 20..32, 110.0).await;
        look(&server).await;
        let model = |since: bool| {
            let model =
                json!({ "test": "percentage", "upper_boundary": 0.05, "min_sample_size": 3, "since_change_point": since });
            json!({ "models": { "latency": model } })
        };
        let mut number = 32;
        let mut filed = async |more: Value| {
            let mut about = json!({ "branch": "main", "hash": commit(number), "start_time": hour(number) });
            about.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            number += 1;
            server.file(&bob, 110.0, about).await
        };
        let baseline = |report: &Value| boundary(report)["baseline"].as_f64().unwrap();
        let all = filed(json!({ "thresholds": model(false) })).await;
        assert!(baseline(&all) < 105.0 && all["alerts"][0].is_object(), "{all:#}");
        let since = filed(json!({ "thresholds": model(true) })).await;
        assert!(baseline(&since) > 109.5 && since["alerts"] == json!([]), "{since:#}");
        let threshold = &server.found(&format!("{PROJECT}/thresholds"), &bob).await[0];
        assert_eq!(threshold["model"]["since_change_point"], true);
        let again = filed(json!({ "thresholds": model(true) })).await;
        let shown = |report: &Value| text(&report["results"][0][0]["measures"][0]["threshold"]["model"], "uuid");
        assert_eq!(shown(&again), shown(&since), "the same model is left alone");
        // A branch that began there looks back on the same history.
        let dev = json!({
            "branch": "dev", "hash": commit(500), "start_point": { "branch": "main", "clone_thresholds": true },
        });
        assert!(baseline(&filed(dev).await) > 109.5);

        let point = text(&list(&server, &bob, "").await[0], "uuid");
        server.patch(&format!("{CHANGE_POINTS}/{point}"), &bob, json!({ "status": "dismissed" })).await;
        assert!(baseline(&filed(json!({})).await) < 106.0, "what was dismissed does not count");
        server.patch(&format!("{CHANGE_POINTS}/{point}"), &bob, json!({ "status": "accepted" })).await;
        assert!(baseline(&filed(json!({})).await) > 109.5);

        // Soon after a change there may not be enough.
        let few = json!({ "models": { "latency": {
            "test": "percentage", "upper_boundary": 0.05, "min_sample_size": 30, "since_change_point": true,
        } } });
        assert_eq!(boundary(&filed(json!({ "thresholds": few })).await), json!({}));
    })
    .await;
}

#[tokio::test]
async fn benchmarks_with_and_without_a_change_are_checked_in_one_report() {
    at_rest_on_each_database(async |server| {
        let bob = shop(&server).await;
        let results = |number: usize, changed: f64| {
            let value = |level| json!({ "latency": { "value": near(level, number) } });
            json!({ "steady": value(50.0), "stepped": value(changed) })
        };
        let about = |number: usize| json!({ "branch": "main", "hash": commit(number), "start_time": hour(number) });
        for number in 0..30 {
            let changed = if number < 15 { 100.0 } else { 200.0 };
            server.create("/v0/run", &bob, run(&[results(number, changed)], about(number))).await;
        }
        look(&server).await;
        let mut last = about(30);
        last["thresholds"] = json!({ "models": { "latency": {
            "test": "percentage", "upper_boundary": 0.1, "max_sample_size": 20, "since_change_point": true,
        } } });
        let report = server.create("/v0/run", &bob, run(&[results(30, 200.0)], last)).await;
        let baselines: Vec<f64> = report["results"][0]
            .as_array()
            .unwrap()
            .iter()
            .map(|result| result["measures"][0]["boundary"]["baseline"].as_f64().unwrap().round())
            .collect();
        assert_eq!(baselines, [50.0, 200.0], "{report:#}");
    })
    .await;
}

/// Waits until there is a change point.
async fn until_found(server: &TestServer, user: &TestUser) -> Value {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = list(server, user, "").await.pop() {
                return found;
            }
            tokio::task::yield_now().await;
        }
    });
    found.await.expect("a change point is found")
}

#[tokio::test]
async fn change_points_are_found_while_the_server_runs() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        file(&server, &bob, 0..20, 100.0).await;
        let reports = file(&server, &bob, 20..32, 110.0).await;
        assert_eq!(until_found(&server, &bob).await["report"], reports[0]["uuid"]);
    })
    .await;
}

#[tokio::test]
async fn what_a_server_did_not_look_through_the_next_one_does() {
    at_rest_on_each_database(async |server| {
        let bob = shop(&server).await;
        file(&server, &bob, 0..20, 100.0).await;
        let reports = file(&server, &bob, 20..32, 110.0).await;
        let server = server.restart().await;
        assert_eq!(until_found(&server, &bob).await["report"], reports[0]["uuid"]);
    })
    .await;
}

#[tokio::test]
async fn several_servers_find_a_change_once() {
    let Some((one, other)) = TestServer::two().await else { return };
    let bob = shop(&one).await;
    file(&one, &bob, 0..20, 100.0).await;
    file(&other, &bob, 20..40, 110.0).await;
    let found = until_found(&other, &bob).await;
    // Whatever is left is looked through by whoever has the turn.
    tokio::join!(look(&one), look(&other));
    let left = list(&one, &bob, "").await;
    assert_eq!(left.len(), 1, "{left:#?}");
    assert_eq!((&left[0]["uuid"], &left[0]["shift"]["after"]["points"]), (&found["uuid"], &json!(20)));
}

#[tokio::test]
async fn a_picture_shows_where_a_series_changed() {
    at_rest_on_each_database(async |server| {
        let bob = shop(&server).await;
        let first = file(&server, &bob, 0..20, 100.0).await;
        file(&server, &bob, 20..32, 110.0).await;
        let svg = async || {
            let url = format!("{}{PROJECT}/perf/img{}&format=svg", server.url, perf_of(&first[0]));
            server.client.request(Method::GET, url).send().await.unwrap().text().await.unwrap()
        };
        let without = svg().await;
        look(&server).await;
        let with = svg().await;
        let lines = |svg: &str| svg.matches("<polyline").count() + svg.matches("<line").count();
        assert!(lines(&with) > lines(&without) + 10, "{} and {}", lines(&with), lines(&without));
    })
    .await;
}
