//! Results that tests file under the project `shop`.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{setup::TestUser, support::TestServer};

pub(crate) const PROJECT: &str = "/v0/projects/shop";

/// A user with the public project `shop`.
pub(crate) async fn shop(server: &TestServer) -> TestUser {
    server.sign_up("Ada").await;
    let bob = server.sign_up("Bob").await;
    server.project(&bob, "Shop", "public").await;
    bob
}

pub(crate) fn hash(digit: char) -> String {
    String::from_iter([digit; 40])
}

/// One iteration of the benchmark `sort`.
pub(crate) fn sort(latency: f64) -> Value {
    json!({ "sort": { "latency": { "value": latency } } })
}

/// A run of these iterations, with what else it says.
pub(crate) fn run(iterations: &[Value], more: Value) -> Value {
    let results: Vec<String> = iterations.iter().map(Value::to_string).collect();
    let mut run = json!({
        "project": "shop", "results": results, "testbed": "box",
        "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z",
    });
    for (key, value) in more.as_object().expect("what else a run says is an object") {
        run[key] = value.clone();
    }
    run
}

impl TestServer {
    /// Files one value of the latency of `sort`.
    pub(crate) async fn file(&self, user: &TestUser, latency: f64, more: Value) -> Value {
        self.create("/v0/run", user, run(&[sort(latency)], more)).await
    }

    /// What must be there.
    pub(crate) async fn found(&self, path: &str, user: &TestUser) -> Value {
        let (status, found) = self.get(path, user).await;
        assert_eq!(status, StatusCode::OK, "{path}: {found}");
        found
    }

    pub(crate) async fn put(&self, path: &str, user: &TestUser, body: Value) -> (StatusCode, Value) {
        self.send(reqwest::Method::PUT, path, Some(&user.token), Some(body)).await
    }
}

/// The limits of the last metric of a report: baseline, lower and upper; `null` where it was checked against nothing.
pub(crate) fn boundary(report: &Value) -> Value {
    let last = |value: &Value| value.as_array().and_then(|list| list.last()).cloned().unwrap_or_default();
    let measures = last(&last(&report["results"]))["measures"].clone();
    last(&measures)["boundary"].clone()
}

/// A text member.
#[track_caller]
pub(crate) fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value:#}")).to_owned()
}
