//! Two at once, and things that go away under somebody's hands.

use bencher_api::{
    queue::{self, Terminal},
    store::queue::RunnerAuthRow,
};
use bencher_types::{JobUuid, RunnerKey, wire::channel::IterationOutput};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    filing::{PROJECT, run, shop, sort, text},
    setup::{TestUser, refused, unmarked},
    support::{TestServer, on_each_database},
};

/// What a job of the benchmark `sort` delivers.
fn measured(latency: f64) -> Terminal {
    Terminal::Completed(
        vec![IterationOutput { exit_code: 0, stdout: Some(sort(latency).to_string()), ..IterationOutput::default() }].into(),
    )
}

/// A runner of the spec that jobs get.
async fn runner(server: &TestServer, admin: &TestUser) -> RunnerAuthRow {
    server.spec(admin, "Small", true).await;
    let made = server.create("/v0/runners", admin, json!({ "name": "one" })).await;
    server.create("/v0/runners/one/specs", admin, json!({ "spec": "small" })).await;
    let key: RunnerKey = text(&made, "key").parse().unwrap();
    server.app.store.runner_by_key(&key.hash()).await.unwrap().unwrap()
}

/// An admin with the project `shop` and the image `shop:v1`, and a runner.
async fn with_image(server: &TestServer) -> (TestUser, RunnerAuthRow) {
    let ada = server.sign_up("Ada").await;
    server.project(&ada, "Shop", "public").await;
    let runner = runner(server, &ada).await;
    server.push_image("shop", &ada, "v1", 1).await;
    (ada, runner)
}

fn job() -> Value {
    json!({
        "project": "shop", "results": [], "job": { "image": "shop:v1" },
        "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z",
    })
}

#[tokio::test]
async fn of_two_changes_at_once_each_is_made_whole_and_a_name_goes_to_one_of_them() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let changes = (0..8).map(|number| {
            let change = json!({ "name": format!("Shop {number}"), "url": format!("https://example.com/{number}") });
            server.patch(PROJECT, &bob, change)
        });
        let changes = changes.collect::<Vec<_>>();
        assert!(join_all(changes).await.iter().all(|(status, _)| *status == StatusCode::OK));
        let found = server.found(PROJECT, &bob).await;
        let number = text(&found, "name").replace("Shop ", "");
        assert_eq!(text(&found, "url"), format!("https://example.com/{number}"), "both are of the same change");

        for name in ["one", "two"] {
            server.create(&format!("{PROJECT}/testbeds"), &bob, json!({ "name": name })).await;
        }
        let rename = |name: &str| {
            let path = format!("{PROJECT}/testbeds/{name}");
            let (server, bob) = (&server, &bob);
            async move { server.patch(&path, bob, json!({ "slug": "best" })).await }
        };
        let (one, two) = tokio::join!(rename("one"), rename("two"));
        let mut statuses = [one.0.as_u16(), two.0.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{one:?} {two:?}");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_reused_for_something_else_gives_what_was_filed_first() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let key = json!({ "idempotency_key": uuid::Uuid::new_v4() });
        let first = server.create("/v0/run", &bob, run(&[sort(1.0)], key.clone())).await;
        let mut other = key.clone();
        (other["branch"], other["testbed"]) = (json!("other"), json!("other"));
        assert_eq!(unmarked(server.create("/v0/run", &bob, run(&[sort(2.0), sort(3.0)], other)).await), (first.clone(), true));
        // Not even what is wrong with it matters: it was filed.
        let mut broken = run(&[], key);
        broken["results"] = json!(["nothing that anybody reads"]);
        assert_eq!(unmarked(server.create("/v0/run", &bob, broken).await), (first, true));
        assert_eq!(server.list(&format!("{PROJECT}/branches"), Some(&bob), "name").await, (vec!["main".to_owned()], 1));
        assert_eq!(server.list(&format!("{PROJECT}/reports"), Some(&bob), "uuid").await.1, 1);
    })
    .await;
}

#[tokio::test]
async fn a_runner_delivers_in_peace_where_the_project_was_deleted_under_its_job() {
    on_each_database(async |server| {
        let (ada, runner) = with_image(&server).await;
        let report = server.create("/v0/run", &ada, job()).await;
        let (held, _) = queue::claim(&server.app, &runner).await.unwrap().expect("a job");
        let project = text(&report["project"], "uuid");
        assert_eq!(server.delete(PROJECT, &ada).await.0, StatusCode::NO_CONTENT);
        queue::finish(&server.app, &runner, held.job, measured(1.0)).await.unwrap();
        assert_eq!(server.create(&format!("/v0/projects/{project}/restore"), &ada, json!({})).await["slug"], "shop");
        let job = server.found(&format!("{PROJECT}/jobs/{}", held.job), &ada).await;
        assert_eq!(job["status"], "canceled");
        let report = server.found(&format!("{PROJECT}/reports/{}", text(&report, "uuid")), &ada).await;
        assert_eq!(report["results"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_job_goes_on_when_the_key_that_asked_for_it_is_revoked() {
    on_each_database(async |server| {
        let (ada, runner) = with_image(&server).await;
        let made = server.create(&format!("{PROJECT}/keys"), &ada, json!({ "name": "ci" })).await;
        let (key, path) = (text(&made, "key"), format!("{PROJECT}/keys/{}", text(&made, "uuid")));
        let (status, report) = server.send(Method::POST, "/v0/run", Some(&key), Some(job())).await;
        assert_eq!(status, StatusCode::CREATED, "{report}");
        let (held, _) = queue::claim(&server.app, &runner).await.unwrap().expect("a job");
        assert_eq!(server.delete(&path, &ada).await.0, StatusCode::NO_CONTENT);
        refused(server.send(Method::POST, "/v0/run", Some(&key), Some(job())).await, 401, "revoked");
        queue::finish(&server.app, &runner, held.job, measured(7.0)).await.unwrap();
        processed(&server, &ada, held.job).await;
        let report = server.found(&format!("{PROJECT}/reports/{}", text(&report, "uuid")), &ada).await;
        assert_eq!(report["results"][0][0]["measures"][0]["metric"]["value"], 7.0);
    })
    .await;
}

/// Waits until the results of a job are in its report.
async fn processed(server: &TestServer, user: &TestUser, job: JobUuid) {
    let path = format!("{PROJECT}/jobs/{job}");
    let waited = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        while server.found(&path, user).await["status"] != "processed" {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("the job is processed soon");
}
