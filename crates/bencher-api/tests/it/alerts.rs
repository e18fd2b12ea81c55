//! What a filed metric is checked against, and the alerts that come of it.

use bencher_api::{store::Queries as _, values};
use object_store::{ObjectStoreExt as _, PutPayload, path::Path};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    filing::{PROJECT, boundary, run, shop, sort, text},
    setup::refused,
    support::{TestServer, on_each_database},
};

const ALERTS: &str = "/v0/projects/shop/alerts";

fn models(latency: Value) -> Value {
    json!({ "thresholds": { "models": { "latency": latency } } })
}

/// At most ten percent more than the mean.
fn ten_percent() -> Value {
    json!({ "test": "percentage", "upper_boundary": 0.1 })
}

#[tokio::test]
async fn a_value_outside_of_a_limit_raises_an_alert() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let limits = models(json!({ "test": "static", "lower_boundary": 2, "upper_boundary": 10 }));
        let inside = server.file(&bob, 10.0, limits).await;
        assert_eq!((&inside["alerts"], &inside["counts"]["alerts"]), (&json!([]), &json!({ "total": 0, "active": 0 })));
        assert_eq!(boundary(&inside), json!({ "lower_limit": 2.0, "upper_limit": 10.0 }));

        let report = server.file(&bob, 10.5, json!({})).await;
        let alert = &report["alerts"][0];
        assert_eq!((&alert["limit"], &alert["status"], &alert["iteration"]), (&json!("upper"), &json!("active"), &json!(0)));
        assert_eq!((&alert["report"], &alert["benchmark"]["name"]), (&report["uuid"], &json!("sort")));
        assert_eq!((&alert["boundary"], &alert["metric"]["value"]), (&boundary(&report), &json!(10.5)));
        assert_eq!((&alert["threshold"]["branch"], &alert["threshold"]["testbed"]), (&report["branch"], &report["testbed"]));
        assert_eq!(
            (&alert["threshold"]["measure"]["slug"], &alert["threshold"]["model"]["test"]),
            (&json!("latency"), &json!("static"))
        );
        assert_eq!(report["counts"]["alerts"], json!({ "total": 1, "active": 1 }));
        let measure = &report["results"][0][0]["measures"][0];
        assert_eq!(
            (&measure["threshold"]["uuid"], &measure["threshold"]["model"]),
            (&alert["threshold"]["uuid"], &alert["threshold"]["model"])
        );

        let one = server.found(&format!("{PROJECT}/metrics/{}", text(&alert["metric"], "uuid")), &bob).await;
        assert_eq!((&one["threshold"], &one["boundary"]), (&measure["threshold"], &measure["boundary"]));
        assert_eq!((&one["alert"]["uuid"], &one["alert"]["limit"]), (&alert["uuid"], &json!("upper")));
        let below = server.file(&bob, 1.0, json!({})).await;
        assert_eq!(below["alerts"][0]["limit"], "lower");
    })
    .await;
}

#[tokio::test]
async fn each_point_of_the_history_shows_what_guarded_it_and_what_came_of_that() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        server.file(&bob, 9.0, json!({})).await;
        let limits = models(json!({ "test": "static", "lower_boundary": 2, "upper_boundary": 10 }));
        let inside = server.file(&bob, 10.0, limits).await;
        let outside = server.file(&bob, 10.5, json!({})).await;

        let uuid = |of: &str| text(&outside[of], "uuid");
        let measured = &outside["results"][0][0];
        let (benchmark, measure) = (text(&measured["benchmark"], "uuid"), text(&measured["measures"][0]["measure"], "uuid"));
        let perf = format!(
            "{PROJECT}/perf?branches={}&testbeds={}&benchmarks={benchmark}&measures={measure}",
            uuid("branch"),
            uuid("testbed")
        );
        let found = server.found(&perf, &bob).await;
        let points = found["results"][0]["metrics"].as_array().unwrap();
        let guards = |at: usize| ["threshold", "boundary", "alert"].map(|of| points[at].get(of).cloned());
        assert_eq!(points.len(), 3);
        assert_eq!(guards(0), [None, None, None]);
        let threshold = Some(measured["measures"][0]["threshold"].clone());
        assert_eq!(guards(1), [threshold.clone(), Some(boundary(&inside)), None]);
        let raised = &outside["alerts"][0];
        let alert = json!({
            "uuid": raised["uuid"], "limit": "upper", "status": "active", "modified": raised["modified"],
        });
        assert_eq!(guards(2), [threshold, Some(boundary(&outside)), Some(alert)]);
    })
    .await;
}

#[tokio::test]
async fn alerts_are_listed_dismissed_and_taken_up_again() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let eve = server.sign_up("Eve").await;
        let first = server.file(&bob, 10.0, models(json!({ "test": "static", "upper_boundary": 5 }))).await;
        let second = server.file(&bob, 20.0, json!({})).await;
        let (first, second) = (text(&first["alerts"][0], "uuid"), text(&second["alerts"][0], "uuid"));
        let listed = async |query: &str| server.list(&format!("{ALERTS}{query}"), None, "uuid").await;
        assert_eq!(listed("").await, (vec![second.clone(), first.clone()], 2));
        assert_eq!(listed("?sort=created&direction=asc&per_page=1").await, (vec![first.clone()], 2));

        let path = format!("{ALERTS}/{first}");
        refused(server.patch(&path, &eve, json!({ "status": "dismissed" })).await, 403, "no member");
        refused(server.patch(&path, &bob, json!({ "status": "silenced" })).await, 400, "silenced");
        let (status, dismissed) = server.patch(&path, &bob, json!({ "status": "dismissed" })).await;
        assert_eq!((status, &dismissed["status"]), (StatusCode::OK, &json!("dismissed")));
        assert_ne!(dismissed["modified"], dismissed["created"]);
        assert_eq!(server.patch(&path, &bob, json!({})).await.1, dismissed);
        assert_eq!(listed("?status=active").await, (vec![second.clone()], 1));
        assert_eq!(listed("?status=dismissed").await, (vec![first.clone()], 1));
        assert_eq!(listed("?sort=modified").await.0, [first.clone(), second.clone()]);
        let report = server.found(&format!("{PROJECT}/reports/{}", text(&dismissed, "report")), &bob).await;
        assert_eq!(report["counts"]["alerts"], json!({ "total": 1, "active": 0 }));
        server.patch(&path, &bob, json!({ "status": "active" })).await;
        assert_eq!(listed("?status=active").await.1, 2);

        server.patch(&format!("{PROJECT}/benchmarks/sort"), &bob, json!({ "archived": true })).await;
        assert_eq!((listed("").await.1, listed("?archived=true").await.1), (0, 2));
        let unknown = format!("{ALERTS}/{}", uuid::Uuid::new_v4());
        refused(server.patch(&unknown, &bob, json!({ "status": "active" })).await, 404, "Alert");
        refused(server.send(Method::GET, &unknown, None, None).await, 404, "Alert");

        let (_, report) = server.delete(&format!("{PROJECT}/reports/{}", text(&dismissed, "report")), &bob).await;
        assert_eq!((report, listed("?archived=true").await), (Value::Null, (vec![second], 1)));
    })
    .await;
}

#[tokio::test]
async fn the_history_is_that_of_the_same_branch_testbed_benchmark_and_measure() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let first = server.file(&bob, 10.0, models(ten_percent())).await;
        assert_eq!((boundary(&first), &first["alerts"]), (json!({}), &json!([])), "there is nothing to compare with");
        server.file(&bob, 1000.0, json!({ "branch": "other" })).await;
        server.file(&bob, 1000.0, json!({ "testbed": "other" })).await;
        let other = json!({ "sort": { "memory": { "value": 1000 } }, "search": { "latency": { "value": 1000 } } });
        server.create("/v0/run", &bob, run(&[other], json!({}))).await;
        let second = server.file(&bob, 11.5, json!({})).await;
        assert_eq!(boundary(&second), json!({ "baseline": 10.0, "upper_limit": 11.0 }));
        assert_eq!(second["alerts"][0]["limit"], "upper");
        let third = server.file(&bob, 11.5, json!({})).await;
        assert_eq!((boundary(&third)["baseline"].as_f64(), &third["alerts"]), (Some(10.75), &json!([])));
    })
    .await;
}

#[tokio::test]
async fn the_newest_versions_count_and_only_within_the_window() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let at = |day: u32| json!({ "start_time": format!("2026-01-{day:02}T00:00:00Z"), "end_time": format!("2026-01-{day:02}T00:00:00Z") });
        let with = |mut run: Value, more: Value| {
            run.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            run
        };
        for (day, value) in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0)] {
            server.file(&bob, value, at(day)).await;
        }
        let newest_two = json!({ "test": "percentage", "upper_boundary": 9, "max_sample_size": 2, "min_sample_size": 2 });
        let report = server.file(&bob, 16.0, with(at(5), models(newest_two))).await;
        assert_eq!(boundary(&report)["baseline"], 6.0);
        let two_days = json!({ "test": "percentage", "upper_boundary": 9, "window": 2 * 24 * 60 * 60 });
        let report = server.file(&bob, 32.0, with(at(6), models(two_days))).await;
        assert_eq!(boundary(&report)["baseline"], 12.0);
        let patient = json!({ "test": "percentage", "upper_boundary": 9, "min_sample_size": 7 });
        let report = server.file(&bob, 64.0, with(at(7), models(patient))).await;
        assert_eq!(boundary(&report), json!({}), "6 are too few");
        assert_eq!(boundary(&server.file(&bob, 64.0, at(7)).await)["baseline"].as_f64(), Some(127.0 / 7.0));
    })
    .await;
}

#[tokio::test]
async fn an_iteration_sees_those_before_it() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        server.file(&bob, 1.0, json!({ "hash": crate::filing::hash('a') })).await;
        server.file(&bob, 7.0, json!({ "hash": crate::filing::hash('b') })).await;
        let newest = json!({ "test": "percentage", "upper_boundary": 0.5, "max_sample_size": 1 });
        let baselines = |report: &Value| -> Vec<f64> {
            let results = report["results"].as_array().unwrap().iter();
            results.map(|results| results[0]["measures"][0]["boundary"]["baseline"].as_f64().unwrap()).collect()
        };
        let iterations = [sort(2.0), sort(3.0), sort(9.0)];
        let report = server.create("/v0/run", &bob, run(&iterations, models(newest.clone()))).await;
        assert_eq!(baselines(&report), [7.0, 2.0, 3.0]);
        assert_eq!((&report["alerts"][0]["iteration"], report["alerts"].as_array().unwrap().len()), (&json!(2), 1));
        let mut again = models(newest);
        // Of the first version again: what was measured of later ones is newer.
        again["hash"] = json!(crate::filing::hash('a'));
        let report = server.create("/v0/run", &bob, run(&iterations, again)).await;
        assert_eq!(baselines(&report), [9.0, 9.0, 9.0]);
    })
    .await;
}

#[tokio::test]
async fn an_ignored_benchmark_is_checked_in_silence() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let results = json!({
            "sort_bencher_ignore": { "latency": { "value": 9 } }, "search": { "latency": { "value": 9 } },
        });
        let sent = run(&[results], models(json!({ "test": "static", "upper_boundary": 5 })));
        let report = server.create("/v0/run", &bob, sent).await;
        assert_eq!(report["counts"]["alerts"], json!({ "total": 2, "active": 1 }));
        let mut alerts: Vec<(String, String)> = report["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|alert| (text(&alert["benchmark"], "name"), text(alert, "status")))
            .collect();
        alerts.sort();
        assert_eq!(
            alerts,
            [("search", "active"), ("sort", "silenced")].map(|(name, status)| (name.to_owned(), status.to_owned()))
        );
    })
    .await;
}

#[tokio::test]
async fn what_a_deleted_threshold_raised_goes_with_it_and_the_metrics_stay() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let report = server.file(&bob, 9.0, models(json!({ "test": "static", "upper_boundary": 5 }))).await;
        let threshold = text(&report["alerts"][0]["threshold"], "uuid");
        let path = format!("{PROJECT}/reports/{}", text(&report, "uuid"));
        server.put(&format!("{PROJECT}/thresholds/{threshold}"), &bob, json!({ "test": null })).await;
        let shown = server.found(&path, &bob).await;
        assert_eq!((&shown["alerts"][0]["boundary"], boundary(&shown)), (&report["alerts"][0]["boundary"], boundary(&report)));
        assert_eq!(server.file(&bob, 9.0, json!({})).await["alerts"], json!([]), "there is no model any more");

        server.delete(&format!("{PROJECT}/thresholds/{threshold}"), &bob).await;
        let shown = server.found(&path, &bob).await;
        assert_eq!((&shown["alerts"], boundary(&shown)), (&json!([]), Value::Null));
        assert_eq!(shown["results"][0][0]["measures"][0]["metric"], report["results"][0][0]["measures"][0]["metric"]);
        assert_eq!(server.list(ALERTS, None, "uuid").await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn many_benchmarks_are_each_checked_against_their_own_history() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let of_all = |factor: f64| {
            let results = (0..1200).map(|number| {
                // A digit more than any fixed number of decimals would keep.
                let value = (f64::from(number) + 0.1) * factor;
                (format!("b{number}"), json!({ "latency": { "value": value } }))
            });
            Value::Object(results.collect())
        };
        let model = json!({ "test": "percentage", "upper_boundary": 0.1, "max_sample_size": 64 });
        server.create("/v0/run", &bob, run(&[of_all(1.0), of_all(1.0)], models(model))).await;
        let report = server.create("/v0/run", &bob, run(&[of_all(1.05)], json!({}))).await;
        assert_eq!(report["counts"]["alerts"]["total"], 0);
        for result in report["results"][0].as_array().unwrap() {
            let number: f64 = text(&result["benchmark"], "name")[1..].parse().unwrap();
            assert_eq!(result["measures"][0]["boundary"]["baseline"].as_f64(), Some(number + 0.1));
        }
        let report = server.create("/v0/run", &bob, run(&[of_all(1.5)], json!({}))).await;
        assert_eq!(report["counts"]["alerts"], json!({ "total": 1200, "active": 1200 }));
        assert_eq!(report["alerts"].as_array().unwrap().len(), 1200);
    })
    .await;
}

/// The report of a job that printed one latency of `sort`.
async fn job(server: &TestServer, latency: f64, more: Value) -> Value {
    report_of_job(server, json!([{ "exit_code": 0, "stdout": sort(latency).to_string() }]), more).await
}

/// The report of a job whose iterations delivered this, without a registry: what matters here is what happens to its results.
pub(crate) async fn report_of_job(server: &TestServer, iterations: Value, more: Value) -> Value {
    #[derive(sqlx::FromRow)]
    struct Id {
        id: i64,
    }

    let ada = server.confirm("ada@example.com").await;
    let manifest = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;
    let digest = bencher_types::Digest::sha256(manifest.as_bytes());
    let mut tx = server.app.store.begin().await.unwrap();
    let project: Id = tx.one("SELECT id FROM project WHERE slug = 'shop'", values![]).await.unwrap();
    tx.execute("DELETE FROM oci_repository", values![]).await.unwrap();
    let repository: Id = tx
        .one("INSERT INTO oci_repository (project_id, name, created) VALUES ($1, '', 0) RETURNING id", values![project.id])
        .await
        .unwrap();
    tx.execute(
        "INSERT INTO oci_manifest (repository_id, digest, media_type, size, content, created) VALUES ($1, $2, 'm', 1, $3, 0)",
        values![repository.id, &digest, manifest.as_bytes().to_vec()],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();

    let mut sent = run(&[], more);
    sent["job"] = json!({ "image": format!("shop@{digest}") });
    let report = server.create("/v0/run", &ada, sent).await;
    let output = json!({ "results": iterations });
    let key = Path::from(format!("jobs/{}.json", text(&report, "job")));
    server.app.blobs.put(&key, PutPayload::from(output.to_string())).await.unwrap();
    let mut tx = server.app.store.begin().await.unwrap();
    let sql = "UPDATE job SET status = 3, started = 1000000, output_key = $2 WHERE uuid = $1";
    tx.execute(sql, values![text(&report, "job"), key.to_string()]).await.unwrap();
    tx.commit().await.unwrap();
    server.app.results_arrived.notify_one();
    let path = format!("{PROJECT}/jobs/{}", text(&report, "job"));
    for _ in 0..3000 {
        if server.found(&path, &ada).await["status"] == "processed" {
            return server.found(&format!("{PROJECT}/reports/{}", text(&report, "uuid")), &ada).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the job was not processed: {:#}", server.found(&path, &ada).await);
}

#[tokio::test]
async fn results_of_a_job_are_checked_on_their_spec() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let ada = server.confirm("ada@example.com").await;
        server.spec(&ada, "Small", true).await;
        let first = job(&server, 10.0, models(ten_percent())).await;
        assert_eq!((boundary(&first), &first["start_time"]), (json!({}), &json!("1970-01-01T00:00:01Z")));
        let second = job(&server, 12.0, json!({})).await;
        assert_eq!((&second["alerts"][0]["limit"], boundary(&second)["baseline"].as_f64()), (&json!("upper"), Some(10.0)));
        assert_eq!(second["alerts"][0]["threshold"]["testbed"]["spec"]["slug"], "small");
        // What was measured elsewhere under the testbed's name counts for results that name no spec only.
        let local = server.file(&bob, 11.0, json!({})).await;
        assert_eq!(boundary(&local)["baseline"].as_f64(), Some(11.0));
        assert_eq!(boundary(&job(&server, 11.0, json!({})).await)["baseline"].as_f64(), Some(11.0));
        server.file(&bob, 1000.0, json!({})).await;
        assert_eq!(boundary(&job(&server, 11.0, json!({})).await)["baseline"].as_f64(), Some(11.0));
    })
    .await;
}
