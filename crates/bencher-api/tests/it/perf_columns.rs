//! The history of metrics in columns: the same points as point by point, with everything named once.

use bencher_types::wire::perf::{PERF_COLUMNS_TYPE, Perf, PerfColumns, SeriesColumns};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::{
    setup::{TestUser, refused},
    support::{TestServer, on_each_database},
};

const PERF: &str = "/v0/projects/shop/perf";

async fn answer(server: &TestServer, user: &TestUser, query: &str, accept: &str) -> (StatusCode, String, String) {
    let request =
        server.client.get(format!("{}{PERF}{query}", server.url)).bearer_auth(&user.token).header(header::ACCEPT, accept);
    let answer = request.send().await.unwrap();
    let (status, kind) = (answer.status(), answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned());
    (status, kind, answer.text().await.unwrap())
}

async fn columns(server: &TestServer, user: &TestUser, query: &str) -> PerfColumns {
    let (status, kind, body) = answer(server, user, query, PERF_COLUMNS_TYPE).await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, PERF_COLUMNS_TYPE), "{body}");
    serde_json::from_str(&body).unwrap()
}

async fn points(server: &TestServer, user: &TestUser, query: &str) -> Perf {
    let (status, kind, body) = answer(server, user, query, "application/json").await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/json"), "{body}");
    serde_json::from_str(&body).unwrap()
}

/// The UUIDs of everything of a kind, with commas between them, the newest name first.
async fn all(server: &TestServer, user: &TestUser, kind: &str) -> String {
    let (_, found) = server.get(&format!("/v0/projects/shop/{kind}?per_page=255&direction=desc"), user).await;
    let uuids: Vec<&str> = found.as_array().unwrap().iter().map(|one| one["uuid"].as_str().unwrap()).collect();
    uuids.join(",")
}

async fn everything(server: &TestServer, user: &TestUser) -> String {
    let (branches, testbeds) = (all(server, user, "branches").await, all(server, user, "testbeds").await);
    let (benchmarks, measures) = (all(server, user, "benchmarks").await, all(server, user, "measures").await);
    format!("?branches={branches}&testbeds={testbeds}&benchmarks={benchmarks}&measures={measures}")
}

async fn report(server: &TestServer, user: &TestUser, more: Value, results: &[Value]) -> Value {
    let mut sent = json!({
        "project": "shop", "branch": "main", "testbed": "box", "results": results.iter().map(Value::to_string).collect::<Vec<_>>(),
        "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T01:00:00Z",
    });
    sent.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.create("/v0/run", user, sent).await
}

/// Ten versions of `main` with two iterations each, a threshold, an alert at the end; `dev` goes on from `main`'s fifth version.
async fn history(server: &TestServer) -> TestUser {
    server.sign_up("Ada").await;
    let bob = server.sign_up("Bob").await;
    server.project(&bob, "Shop", "private").await;
    let thresholds = json!({ "models": { "latency": { "test": "t_test", "upper_boundary": 0.99, "min_sample_size": 3 } } });
    for day in 1..=10_u32 {
        let time = |hour: u32| format!("2026-01-{day:02}T{hour:02}:00:00Z");
        let value = if day == 10 { 900.0 } else { f64::from(100 + day % 3) + 0.1 };
        let one = json!({ "sort": { "latency": { "value": value, "lower_value": value - 1.0, "upper_value": value + 2.5 } },
            "search": { "latency": { "value": 7 }, "size": { "value": f64::from(day) / 3.0 } } });
        let two = json!({ "sort": { "latency": { "value": value + 0.5 } } });
        let more = json!({ "hash": format!("{day:040x}"), "start_time": time(0), "end_time": time(1), "thresholds": thresholds });
        report(server, &bob, more, &[one, two]).await;
    }
    let start = json!({ "branch": "main", "hash": format!("{:040x}", 5) });
    let more = json!({ "branch": "dev", "start_point": start, "start_time": "2026-02-01T00:00:00Z", "end_time": "2026-02-01T00:10:00Z" });
    report(server, &bob, more, &[json!({ "sort": { "latency": { "value": 50 } } })]).await;
    report(server, &bob, json!({ "testbed": "other" }), &[json!({ "sort": { "latency": { "value": 1 } } })]).await;
    bob
}

/// What the points of a column are, as the other form of the answer has them, without what only that has.
fn expanded(perf: &PerfColumns) -> Value {
    let number = |place: u32| usize::try_from(place).unwrap();
    let named = |series: &SeriesColumns| {
        let metrics: Vec<Value> = (0..series.value.len())
            .map(|point| {
                let report = number(series.report[point]);
                let of = |column: &Option<Vec<Option<f64>>>| column.as_ref().and_then(|column| column[point]);
                let threshold = series.threshold.as_ref().and_then(|column| column[point]);
                let threshold = threshold.map(|place| perf.thresholds.as_ref().unwrap()[number(place)].uuid);
                let alerts = series.alerts.iter().flatten();
                let alert = alerts.filter(|alert| number(alert.point) == point).map(|found| found.alert.uuid).next();
                json!({
                    "report": perf.reports.uuid[report], "start": perf.reports.start_time[report], "end": perf.reports.end_time[report],
                    "version": perf.reports.version_number[report], "hash": perf.reports.version_hash[report],
                    "iteration": series.iteration.as_ref().map_or(0, |column| column[point]),
                    "value": series.value[point], "bounds": [of(&series.lower_value), of(&series.upper_value)],
                    "threshold": threshold, "limits": [of(&series.baseline), of(&series.lower_limit), of(&series.upper_limit)],
                    "alert": alert,
                })
            })
            .collect();
        json!({
            "branch": perf.branches[number(series.branch)].uuid, "testbed": perf.testbeds[number(series.testbed)].uuid,
            "benchmark": perf.benchmarks[number(series.benchmark)].uuid, "measure": perf.measures[number(series.measure)].uuid,
            "metrics": metrics,
        })
    };
    perf.series.iter().map(named).collect()
}

fn reduced(perf: &Perf) -> Value {
    let series = perf.results.iter().map(|series| {
        let metrics = series.metrics.iter().map(|point| {
            let limits = point.boundary.as_ref();
            json!({
                "report": point.report, "start": point.start_time, "end": point.end_time,
                "version": point.version.number, "hash": point.version.hash, "iteration": point.iteration,
                "value": point.metric.value, "bounds": [point.metric.lower_value, point.metric.upper_value],
                "threshold": point.threshold.as_ref().map(|threshold| threshold.uuid),
                "limits": [limits.and_then(|limits| limits.baseline), limits.and_then(|limits| limits.lower_limit),
                    limits.and_then(|limits| limits.upper_limit)],
                "alert": point.alert.as_ref().map(|alert| alert.uuid),
            })
        });
        json!({
            "branch": series.branch.uuid, "testbed": series.testbed.uuid, "benchmark": series.benchmark.uuid,
            "measure": series.measure.uuid, "metrics": metrics.collect::<Vec<_>>(),
        })
    });
    series.collect()
}

#[tokio::test]
async fn columns_hold_the_same_points_as_the_other_form() {
    on_each_database(async |server| {
        let bob = history(&server).await;
        let every = everything(&server, &bob).await;
        // 2026-01-03 to 2026-01-06T01:00
        let span = format!("{every}&start_time=1767398400000&end_time=1767661200000");
        for query in [every.clone(), span] {
            let (one, other) = (
                points(&server, &bob, &query).await,
                columns(&server, &bob, &format!("{query}&columns=bounds,thresholds")).await,
            );
            assert_eq!(expanded(&other), reduced(&one));
            assert_eq!((other.start_time, other.end_time), (one.start_time, one.end_time));
        }
        let full = columns(&server, &bob, &format!("{every}&columns=bounds,thresholds")).await;
        assert!(full.series.iter().any(|series| series.alerts.is_some()), "the step is an alert");
        assert!(full.series.iter().any(|series| series.iteration.is_some()), "there are two iterations");
        // `dev` shows what it began from.
        let dev = full.branches.iter().position(|branch| branch.name.as_str() == "dev").unwrap();
        assert!(full.series.iter().any(|series| series.branch as usize == dev && series.value.len() > 1));
    })
    .await;
}

#[tokio::test]
async fn columns_have_only_what_is_asked_for() {
    on_each_database(async |server| {
        let bob = history(&server).await;
        let every = everything(&server, &bob).await;
        let bare = columns(&server, &bob, &every).await;
        assert!(bare.thresholds.is_none());
        let extras = |series: &SeriesColumns| {
            let limits = series.threshold.is_some() || series.baseline.is_some() || series.alerts.is_some();
            (series.lower_value.is_some() || series.upper_value.is_some(), limits)
        };
        assert!(bare.series.iter().all(|series| extras(series) == (false, false)));
        let bounds = columns(&server, &bob, &format!("{every}&columns=bounds")).await;
        assert!(bounds.series.iter().any(|series| extras(series).0) && bounds.series.iter().all(|series| !extras(series).1));
        let limits = columns(&server, &bob, &format!("{every}&columns=thresholds")).await;
        assert!(limits.series.iter().any(|series| extras(series).1) && limits.series.iter().all(|series| !extras(series).0));
        assert!(limits.thresholds.is_some_and(|thresholds| !thresholds.is_empty()));

        refused(
            server.get(&format!("{PERF}{every}&columns=all"), &bob).await,
            400,
            "`columns` may have `bounds`, `thresholds` and `changes`",
        );
        let one = uuid::Uuid::new_v4();
        let nothing = columns(&server, &bob, &format!("?branches={one}&testbeds={one}&benchmarks={one}&measures={one}")).await;
        assert!(nothing.series.is_empty() && nothing.reports.uuid.is_empty());
    })
    .await;
}

#[tokio::test]
async fn columns_are_for_those_who_name_them_and_want_them_no_less() {
    on_each_database(async |server| {
        let bob = history(&server).await;
        let every = everything(&server, &bob).await;
        for (accept, kind) in [
            ("*/*", "application/json"),
            ("application/*", "application/json"),
            ("application/json, application/vnd.bencher.perf-columns+json;q=0.5", "application/json"),
            ("application/vnd.bencher.perf-columns+json;q=0, */*", "application/json"),
            ("Application/Vnd.Bencher.Perf-Columns+json, application/json;q=0.9", PERF_COLUMNS_TYPE),
            ("application/vnd.bencher.perf-columns+json, application/json", PERF_COLUMNS_TYPE),
        ] {
            assert_eq!(answer(&server, &bob, &every, accept).await.1, kind, "{accept}");
        }
        let stranger = server.sign_up("Eve").await;
        assert_eq!(answer(&server, &stranger, &every, PERF_COLUMNS_TYPE).await.0, StatusCode::NOT_FOUND);
    })
    .await;
}
