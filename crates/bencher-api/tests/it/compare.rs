//! Two reports side by side.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    setup::{TestUser, refused},
    support::{TestServer, on_each_database},
};

const COMPARE: &str = "/v0/projects/shop/compare";

async fn shop(server: &TestServer) -> TestUser {
    server.sign_up("Ada").await;
    let bob = server.sign_up("Bob").await;
    server.project(&bob, "Shop", "private").await;
    bob
}

/// A report with an iteration for each value of `sort`; the other benchmark is measured in the first one only.
async fn report(server: &TestServer, user: &TestUser, other: &str, values: &[f64]) -> String {
    let results: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(number, value)| {
            let mut results = json!({ "sort": { "latency": { "value": value }, "throughput": { "value": 1e6 / value } } });
            if number == 0 {
                results[other] = json!({ "latency": { "value": 5.0 } });
            }
            results.to_string()
        })
        .collect();
    let sent = json!({
        "project": "shop", "branch": "main", "testbed": "box", "results": results,
        "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T01:00:00Z",
    });
    server.create("/v0/run", user, sent).await["uuid"].as_str().unwrap().to_owned()
}

fn around(mean: f64) -> Vec<f64> {
    [0.0, 3.0, -2.0, 1.0, -4.0, 2.0, -1.0, 4.0, -3.0, 0.5].iter().map(|share| mean * (1.0 + share / 1000.0)).collect()
}

fn verdicts(compared: &Value) -> Vec<String> {
    let results = compared["results"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    results
        .map(|result| {
            let names = [&result["benchmark"]["name"], &result["measure"]["name"], &result["verdict"]];
            names.map(text).join(" ")
        })
        .collect()
}

#[tokio::test]
async fn what_two_reports_have_in_common_is_compared() {
    on_each_database(async |server| {
        let server = &server;
        let bob = shop(server).await;
        let old = report(server, &bob, "gone", &around(100.0)).await;
        let new = report(server, &bob, "came", &around(105.0)).await;
        let (status, compared) = server.get(&format!("{COMPARE}?old={old}&new={new}"), &bob).await;
        assert_eq!(status, StatusCode::OK, "{compared}");
        assert_eq!(verdicts(&compared), ["sort Latency regression", "sort Throughput regression"]);
        let latency = &compared["results"][0];
        assert_eq!((&latency["design"], &latency["better"]), (&json!("unpaired"), &json!("lower")));
        let ratio = latency["ratio"].as_f64().unwrap();
        assert!((ratio - 1.05).abs() < 1e-9, "{ratio}");
        assert!(latency["interval"]["lower"].as_f64().unwrap() > 1.04);
        assert_eq!(latency["old"]["count"], 10);
        assert_eq!(compared["results"][1]["better"], "higher");
        for (side, name) in [("only_old", "gone"), ("only_new", "came")] {
            assert_eq!(compared[side].as_array().unwrap().len(), 1);
            assert_eq!(compared[side][0]["benchmark"]["name"], name);
        }
        assert_eq!((&compared["old"]["uuid"], &compared["new"]["uuid"]), (&json!(old), &json!(new)));

        let (_, same) = server.get(&format!("{COMPARE}?old={old}&new={old}&paired=true&margin=0"), &bob).await;
        assert_eq!(verdicts(&same)[1], "sort Latency equivalent");
        assert_eq!(same["results"][1]["design"], "paired");
    })
    .await;
}

#[tokio::test]
async fn a_measure_can_be_said_to_be_better_when_it_is_higher() {
    on_each_database(async |server| {
        let server = &server;
        let bob = shop(server).await;
        let old = report(server, &bob, "other", &around(100.0)).await;
        let new = report(server, &bob, "other", &around(105.0)).await;
        let (_, compared) = server.get(&format!("{COMPARE}?old={old}&new={new}&higher_is_better=Latency,x"), &bob).await;
        assert_eq!(verdicts(&compared)[1], "sort Latency improvement");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused() {
    on_each_database(async |server| {
        let server = &server;
        let bob = shop(server).await;
        let report = report(server, &bob, "other", &[1.0]).await;
        let nobody = uuid::Uuid::new_v4();
        for (query, status, expected) in [
            (format!("old={report}&new={nobody}"), 404, "Report"),
            (format!("old={report}"), 400, "new"),
            (format!("old={report}&new={report}&margin=1"), 400, "the margin is 1: expected"),
            (format!("old={report}&new={report}&confidence=0"), 400, "the confidence is 0: expected"),
        ] {
            refused(server.get(&format!("{COMPARE}?{query}"), &bob).await, status, expected);
        }
    })
    .await;
}
