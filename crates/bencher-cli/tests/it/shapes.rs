//! Answers as the server gives them.

use serde_json::{Value, json};

const AT: &str = "2026-01-02T03:04:05Z";
pub(crate) const JOB: &str = "00000000-0000-4000-8000-000000000010";
pub(crate) const REPORT: &str = "00000000-0000-4000-8000-000000000020";
const PROJECT: &str = "00000000-0000-4000-8000-000000000001";

pub(crate) fn project(slug: &str) -> Value {
    json!({
        "uuid": PROJECT, "organization": "00000000-0000-4000-8000-000000000002", "name": "The Shop", "slug": slug,
        "visibility": "public", "created": AT, "modified": AT
    })
}

pub(crate) fn spec() -> Value {
    json!({
        "uuid": "00000000-0000-4000-8000-000000000003", "name": "Small", "slug": "small", "os": "linux", "architecture": "x86_64",
        "cpu": 2, "memory": 2_147_483_648_u64, "disk": 10_737_418_240_u64, "network": false, "created": AT, "modified": AT
    })
}

pub(crate) fn runner(state: &str) -> Value {
    json!({
        "uuid": "00000000-0000-4000-8000-000000000004", "name": "Box", "slug": "box", "specs": [], "created": AT, "modified": AT,
        "state": state
    })
}

pub(crate) fn job(status: &str) -> Value {
    json!({ "uuid": JOB, "status": status, "spec": spec(), "created": AT, "modified": AT })
}

/// A job with some of its keys set.
pub(crate) fn job_with(status: &str, more: Value) -> Value {
    let mut job = job(status);
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    job
}

fn measure(number: u32, name: &str, units: &str) -> Value {
    json!({
        "uuid": format!("00000000-0000-4000-8000-0000000001{number:02}"), "project": PROJECT, "name": name,
        "slug": name.to_lowercase().replace(' ', "-"), "units": units, "created": AT, "modified": AT
    })
}

fn result(iteration: u32, benchmark: &str, latency: f64) -> Value {
    json!({
        "iteration": iteration,
        "benchmark": {
            "uuid": "00000000-0000-4000-8000-000000000030", "project": PROJECT, "name": benchmark, "slug": "b", "created": AT,
            "modified": AT
        },
        "measures": [
            {
                "measure": measure(1, "Latency", "nanoseconds (ns)"),
                "metric": {
                    "uuid": "00000000-0000-4000-8000-000000000040", "value": latency, "lower_value": latency * 0.9,
                    "upper_value": latency * 1.1
                }
            },
            {
                "measure": measure(2, "File Size", "bytes (B)"),
                "metric": { "uuid": "00000000-0000-4000-8000-000000000041", "value": 2048.0 }
            }
        ]
    })
}

/// A report of two benchmarks in so many iterations.
pub(crate) fn report(iterations: u32) -> Value {
    let results: Vec<Value> = (0..iterations)
        .map(|iteration| json!([result(iteration, "gzip -6", 12_345_678.0), result(iteration, "zstd", 999.0)]))
        .collect();
    json!({
        "uuid": REPORT,
        "project": project("shop"),
        "branch": {
            "uuid": "00000000-0000-4000-8000-000000000005", "project": PROJECT, "name": "main", "slug": "main", "created": AT,
            "modified": AT,
            "head": {
                "uuid": "00000000-0000-4000-8000-000000000006", "created": AT,
                "version": { "number": 7, "hash": "0123456789abcdef0123456789abcdef01234567" }
            }
        },
        "testbed": {
            "uuid": "00000000-0000-4000-8000-000000000007", "project": PROJECT, "name": "Small", "slug": "small", "spec": spec(),
            "created": AT, "modified": AT
        },
        "adapter": "magic", "start_time": AT, "end_time": AT, "results": results, "alerts": [], "created": AT
    })
}

/// The answer to a run on a runner: no results yet, and a job.
pub(crate) fn report_of_job() -> Value {
    let mut report = report(0);
    report["job"] = json!(JOB);
    report
}

/// An alert on the first result of [`report`].
pub(crate) fn alert() -> Value {
    let report = report(1);
    let result = &report["results"][0][1];
    json!({
        "uuid": "00000000-0000-4000-8000-000000000010", "report": REPORT, "iteration": 0, "benchmark": result["benchmark"],
        "metric": result["measures"][0]["metric"],
        "threshold": {
            "uuid": "00000000-0000-4000-8000-000000000011", "project": PROJECT, "branch": report["branch"],
            "testbed": report["testbed"], "measure": result["measures"][0]["measure"], "created": AT, "modified": AT
        },
        "boundary": { "upper_limit": 900.0 }, "limit": "upper", "status": "active", "created": AT, "modified": AT
    })
}

/// Two points of one series, the second with an alert.
pub(crate) fn perf() -> Value {
    let report = report(1);
    let result = &report["results"][0][1];
    let metric = &result["measures"][0]["metric"];
    let point = |number: u32| {
        json!({
            "report": REPORT, "iteration": 0, "start_time": AT, "end_time": AT, "version": { "number": number }, "metric": metric
        })
    };
    let mut alerting = point(2);
    alerting["boundary"] = json!({ "baseline": 800.0, "upper_limit": 900.0 });
    alerting["alert"] = json!({ "uuid": JOB, "limit": "upper", "status": "active", "modified": AT });
    json!({
        "project": project("shop"),
        "results": [{
            "branch": report["branch"], "testbed": report["testbed"], "benchmark": result["benchmark"],
            "measure": result["measures"][0]["measure"], "metrics": [point(1), alerting]
        }]
    })
}

/// A report of two benchmarks that a threshold guards, with an alert.
pub(crate) fn guarded_report() -> Value {
    let mut report = report(1);
    let mut alert = alert();
    alert["boundary"] = json!({ "baseline": 800.0, "upper_limit": 900.0 });
    let threshold = json!({
        "uuid": "00000000-0000-4000-8000-000000000011", "project": PROJECT, "created": AT,
        "model": { "uuid": JOB, "test": "static", "upper_boundary": 900.0, "created": AT }
    });
    report["results"][0][1]["measures"][0]["threshold"] = threshold;
    report["results"][0][1]["measures"][0]["boundary"] = alert["boundary"].clone();
    report["alerts"] = json!([alert]);
    report
}
