//! What the API says and takes of scheduling: retries, labels, bounds, the place in the queue, the modes of runners.

use bencher_api::queue::{self, Delivered, Terminal};
use bencher_types::{JobFailure, JobUuid, RunnerKey};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    setup::{TestUser, refused},
    support::{TestServer, on_each_database},
};

const JOBS: &str = "/v0/projects/shop/jobs";

/// An admin with the project `shop`, the image `shop:v1` and the fallback spec `small`.
async fn shop(server: &TestServer) -> TestUser {
    let ada = server.sign_up("Ada").await;
    server.project(&ada, "Shop", "public").await;
    server.spec(&ada, "Small", true).await;
    server.push_image("shop", &ada, "v1", 1).await;
    ada
}

fn run(job: Value) -> Value {
    let mut run = json!({
        "project": "shop", "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z", "results": [],
        "job": { "image": "shop:v1" },
    });
    run["job"].as_object_mut().unwrap().extend(job.as_object().unwrap().clone());
    run
}

async fn submit(server: &TestServer, user: &TestUser, job: Value) -> JobUuid {
    server.create("/v0/run", user, run(job)).await["job"].as_str().unwrap().parse().unwrap()
}

async fn view(server: &TestServer, user: &TestUser, job: JobUuid) -> Value {
    let (status, shown) = server.get(&format!("{JOBS}/{job}"), user).await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    shown
}

/// A runner of the spec `small`, and how the queue knows it.
async fn runner(server: &TestServer, admin: &TestUser, name: &str) -> bencher_api::store::queue::RunnerAuthRow {
    let made = server.create("/v0/runners", admin, json!({ "name": name })).await;
    server.create(&format!("/v0/runners/{name}/specs"), admin, json!({ "spec": "small" })).await;
    let key: RunnerKey = made["key"].as_str().unwrap().parse().unwrap();
    server.app.store.runner_by_key(&key.hash()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_failed_job_says_whose_business_it_is_and_can_be_tried_again() {
    on_each_database(async |server| {
        let ada = shop(&server).await;
        let box_ = runner(&server, &ada, "box").await;
        let job = submit(&server, &ada, json!({})).await;
        let retry = format!("{JOBS}/{job}/retry");
        assert_eq!(server.post(&retry, &ada, json!(null)).await.0, StatusCode::OK, "it waits already");
        queue::claim(&server.app, &box_).await.unwrap().unwrap();
        refused(server.post(&retry, &ada, json!(null)).await, 409, "the job is claimed");

        // A runner that names no class is judged by its words.
        let failed = Terminal::Failed(Delivered::default(), "Benchmark exited with non-zero exit code: 3".to_owned(), None);
        queue::finish(&server.app, &box_, job, failed).await.unwrap();
        let shown = view(&server, &ada, job).await;
        assert_eq!((&shown["status"], &shown["failure"]), (&json!("failed"), &json!("user")));
        assert!(shown["what_to_do"].as_str().unwrap().contains("bencher job logs"));
        let attempt = &shown["attempts"][0];
        assert_eq!(
            (&attempt["attempt"], &attempt["outcome"], &attempt["failure"]),
            (&json!(1), &json!("failed"), &json!("user"))
        );
        assert_eq!((&attempt["runner"], &attempt["message"]), (&shown["runner"], &shown["message"]));

        assert_eq!(server.send(Method::POST, &retry, None, None).await.0, StatusCode::BAD_REQUEST, "who is asking?");
        let (status, again) = server.post(&retry, &ada, json!(null)).await;
        assert_eq!((status, &again["status"], again.get("failure")), (StatusCode::OK, &json!("pending"), None));
        let (held, _) = queue::claim(&server.app, &box_).await.unwrap().unwrap();
        assert_eq!((held.job, held.attempt), (job, 2));
        queue::finish(&server.app, &box_, job, Terminal::Completed(Delivered::default())).await.unwrap();
        refused(server.post(&retry, &ada, json!(null)).await, 409, "only a job that has failed");
        let unknown = format!("{JOBS}/{}/retry", JobUuid::random());
        refused(server.post(&unknown, &ada, json!(null)).await, 404, "not found");
    })
    .await;
}

#[tokio::test]
async fn retries_are_counted_down_and_shown() {
    on_each_database(async |server| {
        let ada = shop(&server).await;
        let box_ = runner(&server, &ada, "box").await;
        let job = submit(&server, &ada, json!({ "retries": 2, "required_labels": ["gpu", "a", "gpu"] })).await;
        let shown = view(&server, &ada, job).await;
        assert_eq!((&shown["retries"], &shown["required_labels"]), (&json!(2), &json!(["a", "gpu"])));
        assert_eq!(shown["queue"]["reason"], "labels");
        server.patch("/v0/runners/box", &ada, json!({ "labels": ["gpu", "a", "b"] })).await;

        queue::claim(&server.app, &box_).await.unwrap().unwrap();
        let failed = Terminal::Failed(Delivered::default(), "no disk".to_owned(), Some(JobFailure::Infrastructure));
        queue::finish(&server.app, &box_, job, failed).await.unwrap();
        let shown = view(&server, &ada, job).await;
        assert_eq!((&shown["status"], &shown["retries"], &shown["attempt"]), (&json!("pending"), &json!(1), &json!(1)));
        assert_eq!(
            (&shown["attempts"][0]["failure"], &shown["attempts"][0]["message"]),
            (&json!("infrastructure"), &json!("no disk"))
        );

        refused(server.post("/v0/run", &ada, run(json!({ "retries": 6 }))).await, 400, "at most 5");
        refused(server.post("/v0/run", &ada, run(json!({ "required_labels": ["a,b"] }))).await, 400, "label");
    })
    .await;
}

#[tokio::test]
async fn a_pending_job_says_its_place_and_what_it_waits_for() {
    on_each_database(async |server| {
        let ada = shop(&server).await;
        let (first, second) = (submit(&server, &ada, json!({})).await, submit(&server, &ada, json!({})).await);
        let place = async |job, expected: Value| {
            let shown = view(&server, &ada, job).await;
            assert_eq!(shown["queue"], expected, "{shown}");
        };
        place(first, json!({ "position": 1, "waiting": 2, "reason": "no_runner" })).await;
        place(second, json!({ "position": 2, "waiting": 2, "reason": "no_runner" })).await;
        let box_ = runner(&server, &ada, "box").await;
        place(second, json!({ "position": 2, "waiting": 2, "reason": "offline" })).await;
        server.patch("/v0/runners/box", &ada, json!({ "mode": "locked" })).await;
        place(second, json!({ "position": 2, "waiting": 2, "reason": "closed" })).await;
        assert!(queue::claim(&server.app, &box_).await.unwrap().is_none());
        server.patch("/v0/runners/box", &ada, json!({ "mode": "active" })).await;

        server.patch("/v0/projects/shop", &ada, json!({ "max_jobs": 1 })).await;
        queue::claim(&server.app, &box_).await.unwrap().unwrap();
        let state = bencher_types::wire::runner::RunnerState::Running;
        server.app.store.set_runner_state(box_.id, None, state, server.app.clock.now()).await.unwrap();
        place(second, json!({ "position": 1, "waiting": 1, "reason": "project_limit" })).await;
        server.patch("/v0/projects/shop", &ada, json!({ "max_jobs": null })).await;
        place(second, json!({ "position": 1, "waiting": 1, "reason": "busy" })).await;
        assert!(view(&server, &ada, first).await.get("queue").is_none(), "it waits no longer");
    })
    .await;
}

#[tokio::test]
async fn only_admins_set_tiers_and_a_tier_moves_the_jobs_that_wait() {
    on_each_database(async |server| {
        let ada = shop(&server).await;
        let bob = server.sign_up("Bob").await;
        let project = server.project(&bob, "Store", "public").await;
        let organization = format!("/v0/organizations/{}", project["organization"].as_str().unwrap());
        server.push_image("store", &bob, "v1", 1).await;
        let early = submit(&server, &ada, json!({})).await;
        let mut late = run(json!({ "image": "store:v1" }));
        late["project"] = json!("store");
        let late = server.create("/v0/run", &bob, late).await["job"].as_str().unwrap().parse::<JobUuid>().unwrap();

        assert_eq!(server.get(&organization, &bob).await.1["tier"], "free");
        refused(server.patch(&organization, &bob, json!({ "tier": "enterprise" })).await, 403, "only an admin");
        assert_eq!(server.patch(&organization, &ada, json!({ "tier": "enterprise" })).await.1["tier"], "enterprise");
        let box_ = runner(&server, &ada, "box").await;
        for expected in [late, early] {
            let (held, _) = queue::claim(&server.app, &box_).await.unwrap().unwrap();
            assert_eq!(held.job, expected);
            queue::finish(&server.app, &box_, held.job, Terminal::Completed(Delivered::default())).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn an_iteration_takes_no_longer_than_the_project_allows() {
    on_each_database(async |server| {
        let ada = shop(&server).await;
        let changed = server.patch("/v0/projects/shop", &ada, json!({ "max_timeout": 30 })).await.1;
        assert_eq!((&changed["max_timeout"], changed.get("max_jobs")), (&json!(30), None));
        refused(server.post("/v0/run", &ada, run(json!({ "timeout": 31 }))).await, 400, "may take 30 s");
        let job = submit(&server, &ada, json!({})).await;
        let box_ = runner(&server, &ada, "box").await;
        let (held, claimed) = queue::claim(&server.app, &box_).await.unwrap().unwrap();
        assert_eq!((held.job, claimed.timeout.get()), (job, 30));
        refused(server.patch("/v0/projects/shop", &ada, json!({ "max_jobs": 0 })).await, 400, "above 0");
    })
    .await;
}

#[tokio::test]
async fn a_runner_shows_what_it_may_take_and_why_it_gets_nothing() {
    on_each_database(async |server| {
        let ada = shop(&server).await;
        runner(&server, &ada, "box").await;
        let shown = server.get("/v0/runners/box", &ada).await.1;
        assert_eq!((&shown["mode"], shown.get("organizations"), shown.get("labels")), (&json!("active"), None, None));
        let change = json!({ "mode": "draining", "reason": "new disk", "labels": ["gpu"], "organizations": ["ada"] });
        let shown = server.patch("/v0/runners/box", &ada, change).await.1;
        assert_eq!(
            (&shown["mode"], &shown["reason"], &shown["labels"]),
            (&json!("draining"), &json!("new disk"), &json!(["gpu"]))
        );
        assert_eq!(shown["organizations"].as_array().unwrap().len(), 1);
        assert!(shown["since"].is_string());
        let shown = server.patch("/v0/runners/box", &ada, json!({ "mode": "active", "organizations": [] })).await.1;
        assert_eq!((shown.get("reason"), shown.get("since"), shown.get("organizations")), (None, None, None));

        refused(server.patch("/v0/runners/box", &ada, json!({ "reason": "so" })).await, 400, "mode");
        refused(server.patch("/v0/runners/box", &ada, json!({ "organizations": ["nobody"] })).await, 404, "nobody");
        let many: Vec<String> = (0..33).map(|number| number.to_string()).collect();
        refused(server.patch("/v0/runners/box", &ada, json!({ "labels": many })).await, 400, "at most 32");
    })
    .await;
}
