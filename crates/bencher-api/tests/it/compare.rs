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
async fn iterations_of_one_report_that_were_measured_in_turns_are_compared() {
    on_each_database(async |server| {
        let server = &server;
        let bob = shop(server).await;
        // A machine that gets ever slower: between neighbours only the change is left.
        let (old, new) = (around(100.0), around(105.0));
        let turns: Vec<f64> =
            old.iter().zip(&new).zip(1..).flat_map(|((old, new), hour)| [old * f64::from(hour), new * f64::from(hour)]).collect();
        let both = report(server, &bob, "other", &turns).await;
        let compare = async |query: String| server.get(&format!("{COMPARE}?{query}"), &bob).await;

        let (status, paired) = compare(format!("old={both}@odd&new={both}@even&paired=true")).await;
        assert_eq!(status, StatusCode::OK, "{paired}");
        assert_eq!(verdicts(&paired), ["sort Latency regression", "sort Throughput regression"]);
        assert_eq!(paired["results"][0]["design"], "paired");
        assert_eq!((&paired["old"]["iterations"], &paired["new"]["iterations"]), (&json!("odd"), &json!("even")));
        assert_eq!(paired["only_old"][0]["benchmark"]["name"], "other", "it is measured in the first iteration, an odd one");
        let (_, unpaired) = compare(format!("old={both}@odd&new={both}@even")).await;
        assert_eq!(verdicts(&unpaired)[0], "sort Latency inconclusive", "what the hour did hides the change");

        let (_, some) = compare(format!("old={both}@1,3,5&new={both}@2,4,6&paired=true")).await;
        let counts =
            |compared: &Value| (compared["results"][0]["old"]["count"].clone(), compared["results"][0]["new"]["count"].clone());
        assert_eq!(counts(&some), (json!(3), json!(3)));
        let (_, whole) = compare(format!("old={both}@1-5,8&new={both}")).await;
        assert_eq!(counts(&whole), (json!(1), json!(1)), "the other benchmark comes first: {whole}");
        assert_eq!(
            (whole["results"][1]["old"]["count"].clone(), whole["results"][1]["new"]["count"].clone()),
            (json!(6), json!(20))
        );
        assert!(whole["new"].get("iterations").is_none(), "{whole}");
    })
    .await;
}

#[tokio::test]
async fn a_measure_that_is_missing_in_different_iterations_has_no_pairs() {
    on_each_database(async |server| {
        let server = &server;
        let bob = shop(server).await;
        let both = report(server, &bob, "other", &around(100.0)).await;
        // The other benchmark is in the first iteration alone: here it is the first of two, there the second.
        let again = report(server, &bob, "other", &around(100.0)).await;
        let path = format!("{COMPARE}?old={both}@1-2&new={again}@1-2&paired=true");
        assert_eq!(server.get(&path, &bob).await.1["results"][0]["design"], "paired");
        let turned = json!({
            "project": "shop", "branch": "main", "testbed": "box",
            "results": ["{\"sort\":{\"latency\":{\"value\":1.0}}}", "{\"other\":{\"latency\":{\"value\":5.0}},\"sort\":{\"latency\":{\"value\":1.0}}}"],
            "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T01:00:00Z",
        });
        let turned = server.create("/v0/run", &bob, turned).await["uuid"].as_str().unwrap().to_owned();
        let (_, compared) = server.get(&format!("{COMPARE}?old={both}@1-2&new={turned}&paired=true"), &bob).await;
        let design = |number: usize| (compared["results"][number]["benchmark"]["name"].clone(), compared["results"][number]["design"].clone());
        assert_eq!(design(0), (json!("other"), json!("unpaired")), "{compared}");
        assert_eq!(design(1), (json!("sort"), json!("paired")));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused() {
    on_each_database(async |server| {
        let server = &server;
        let bob = shop(server).await;
        let single = report(server, &bob, "other", &[1.0]).await;
        let report = report(server, &bob, "other", &[1.0, 2.0]).await;
        let nobody = uuid::Uuid::new_v4();
        for (query, status, expected) in [
            (format!("old={report}&new={nobody}"), 404, "Report"),
            (format!("old={report}"), 400, "new"),
            (format!("old={report}@&new={report}"), 400, "no iteration is named"),
            (format!("old={report}@0&new={report}"), 400, "`0` is no iteration"),
            (format!("old={report}@2,1&new={report}"), 400, "iteration 1 is named after 2"),
            (format!("old={report}@1-3&new={report}"), 400, "`1-3` of the old report: there is no iteration 3 among 2"),
            (format!("old={report}&new={report}@4"), 400, "`4` of the new report: there is no iteration 4 among 2"),
            (format!("old={report}@1&new={report}&paired=true"), 400, "1 old ones and 2 new ones are named"),
            (format!("old={single}@even&new={report}"), 400, "none of 1 iterations is even"),
            (format!("old={report}&new={report}&margin=1"), 400, "the margin is 1: expected"),
            (format!("old={report}&new={report}&confidence=0"), 400, "the confidence is 0: expected"),
        ] {
            refused(server.get(&format!("{COMPARE}?{query}"), &bob).await, status, expected);
        }
    })
    .await;
}
