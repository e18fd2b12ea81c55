//! Deleting projects and organizations: hidden and brought back, or gone without a trace.

use std::collections::BTreeMap;

use bencher_api::{
    auth::Principal,
    queue::{self, Delivered, Terminal},
    store::{Dialect, Queries as _, queue::RunnerAuthRow},
    values,
};
use bencher_types::{Digest, JobUuid, RunnerKey, wire::channel::IterationOutput};
use futures::TryStreamExt as _;
use object_store::{ObjectStore as _, path::Path};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    setup::{TestUser, refused},
    support::{TestServer, on_each_database},
};

#[derive(sqlx::FromRow)]
struct Table {
    name: String,
}

#[derive(sqlx::FromRow)]
struct Count {
    count: i64,
}

/// What outlives a project: what was worked stays counted, its organization remembers when it was last served, and the server when it
/// looked after its registry.
const KEPT: &[&str] = &["runner_usage", "organization_turn", "oci_care"];

/// How many rows each table has, but for those, when nothing is due to be looked at any more.
async fn rows(server: &TestServer) -> BTreeMap<String, i64> {
    loop {
        let rows = rows_now(server).await;
        if rows.iter().all(|(table, rows)| !table.starts_with("change_point_due") || *rows == 0) {
            return rows;
        }
        tokio::task::yield_now().await;
    }
}

async fn rows_now(server: &TestServer) -> BTreeMap<String, i64> {
    let mut conn = server.app.store.read().await.unwrap();
    let sql = match server.app.store.dialect() {
        Dialect::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
        Dialect::Postgres => {
            "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        }
    };
    let tables: Vec<Table> = conn.all(sql, values![]).await.unwrap();
    let mut rows = BTreeMap::new();
    for Table { name } in tables.into_iter().filter(|table| !KEPT.contains(&table.name.as_str())) {
        let count: Count = conn.one(format!("SELECT COUNT(*) AS count FROM {name}"), values![]).await.unwrap();
        rows.insert(name, count.count);
    }
    rows
}

/// Every file in the blob store.
async fn files(server: &TestServer) -> Vec<Path> {
    let mut files: Vec<Path> = server.app.blobs.list(None).map_ok(|file| file.location).try_collect().await.unwrap();
    files.retain(|file| !file.as_ref().starts_with("uploads/"));
    files.sort();
    files
}

/// A runner of the fallback spec, which is made with it.
async fn runner(server: &TestServer, admin: &TestUser) -> RunnerAuthRow {
    server.spec(admin, "Small", true).await;
    let runner = server.create("/v0/runners", admin, json!({ "name": "one" })).await;
    server.create("/v0/runners/one/specs", admin, json!({ "spec": "small" })).await;
    let key: RunnerKey = runner["key"].as_str().unwrap().parse().unwrap();
    server.app.store.runner_by_key(&key.hash()).await.unwrap().unwrap()
}

async fn run_job(server: &TestServer, user: &TestUser, project: &str) -> JobUuid {
    let run = json!({
        "project": project, "results": [], "job": { "image": format!("{project}:v1"), "env": { "A": "b" } },
        "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z",
    });
    server.create("/v0/run", user, run).await["job"].as_str().unwrap().parse().unwrap()
}

/// Lets the runner take the next job and deliver something.
async fn work(server: &TestServer, runner: &RunnerAuthRow, terminal: Terminal) {
    let (held, _) = queue::claim(&server.app, runner).await.unwrap().expect("a job");
    queue::finish(&server.app, runner, held.job, terminal).await.unwrap();
}

/// Fills a project with something of every kind: reports with metrics, jobs of every fate, images, an upload under way.
async fn fill(server: &TestServer, user: &TestUser, project: &str, runner: &RunnerAuthRow) -> Digest {
    server.push_image(project, user, "v1", 1).await;
    let own = server.push_image(&format!("{project}/tools"), user, "v2", 2).await.1;
    let begun = server.client.post(format!("{}/v2/{project}/blobs/uploads/", server.url)).bearer_auth(&user.token).send();
    assert_eq!(begun.await.unwrap().status(), StatusCode::ACCEPTED);

    let results = json!({ "sort": { "latency": { "value": 1.0 } } }).to_string();
    for number in 0..3 {
        let run = json!({
            "project": project, "branch": format!("branch{number}"), "hash": "a".repeat(40), "results": [results, results],
            "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z",
        });
        server.create("/v0/run", user, run).await;
    }
    let output =
        |stdout: &str| vec![IterationOutput { exit_code: 0, stdout: Some(stdout.to_owned()), ..IterationOutput::default() }];
    for terminal in [
        Terminal::Completed(output(&results).into()),
        Terminal::Failed(output("nothing").into(), "it failed".to_owned(), None),
        Terminal::Canceled(Delivered::default()),
    ] {
        run_job(server, user, project).await;
        work(server, runner, terminal).await;
    }
    run_job(server, user, project).await;
    own
}

/// Hard deletion by whoever may, of a path; with everything that follows from it.
async fn gone(server: &TestServer, user: &TestUser, path: &str) {
    let answer = server.delete(&format!("{path}?hard=true"), user).await;
    assert_eq!(answer.0, StatusCode::NO_CONTENT, "{}", answer.1);
}

#[tokio::test]
async fn nothing_is_left_of_a_project_that_is_removed_for_good() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let runner = runner(&server, &admin).await;
        server.project(&bob, "Other", "public").await;
        server.push_image("other", &bob, "v1", 1).await;
        server
            .create(
                "/v0/run",
                &bob,
                json!({
                    "project": "other", "results": [json!({ "sort": { "latency": { "value": 1.0 } } }).to_string()],
                    "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z",
                }),
            )
            .await;
        let (rows_before, files_before) = (rows(&server).await, files(&server).await);

        server.project(&bob, "Shop", "private").await;
        let own = fill(&server, &bob, "shop", &runner).await;
        assert!(files(&server).await.len() > files_before.len() + 3, "{:?}", files(&server).await);
        gone(&server, &bob, "/v0/projects/shop").await;

        assert_eq!(rows(&server).await, rows_before);
        assert_eq!(files(&server).await, files_before, "what the other project shares is there, and nothing else");
        assert!(server.app.store.oci_content(&own).await.unwrap().is_none());
        refused(server.get("/v0/projects/shop", &bob).await, 404, "Project (shop) not found");
        assert!(queue::claim(&server.app, &runner).await.unwrap().is_none(), "its waiting job is gone");
        // The other project's image is whole.
        let pulled = server.client.get(format!("{}/v2/other/manifests/v1", server.url)).send().await.unwrap();
        assert_eq!(pulled.status(), StatusCode::OK);
        let manifest: Value = pulled.json().await.unwrap();
        for layer in manifest["layers"].as_array().unwrap() {
            let url = format!("{}/v2/other/blobs/{}", server.url, layer["digest"].as_str().unwrap());
            assert_eq!(server.client.get(url).send().await.unwrap().status(), StatusCode::OK);
        }
        // The same image can be pushed again.
        server.project(&bob, "Shop", "public").await;
        server.push_image("shop/tools", &bob, "v2", 2).await;
    })
    .await;
}

#[tokio::test]
async fn nothing_is_left_of_an_organization_that_is_removed_for_good() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let eve = server.sign_up("Eve").await;
        let runner = runner(&server, &admin).await;
        let (rows_before, files_before) = (rows(&server).await, files(&server).await);

        server.create("/v0/organizations", &bob, json!({ "name": "Acme" })).await;
        server.join(&eve, &bob, "acme", "viewer").await;
        for name in ["First", "Second"] {
            server.create("/v0/organizations/acme/projects", &bob, json!({ "name": name })).await;
        }
        fill(&server, &bob, "first", &runner).await;
        server.push_image("second", &bob, "v1", 1).await;
        // What was deleted before goes, too.
        assert_eq!(server.delete("/v0/projects/second", &bob).await.0, StatusCode::NO_CONTENT);
        refused(server.delete("/v0/organizations/acme?hard=true", &eve).await, 403, "viewer may not delete");
        gone(&server, &bob, "/v0/organizations/acme").await;
        assert_eq!((rows(&server).await, files(&server).await), (rows_before, files_before));
    })
    .await;
}

#[tokio::test]
async fn where_runners_are_at_work_nothing_is_removed_for_good() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let runner = runner(&server, &admin).await;
        server.project(&admin, "Shop", "public").await;
        server.push_image("shop", &admin, "v1", 1).await;
        let [busy, waiting] = [run_job(&server, &admin, "shop").await, run_job(&server, &admin, "shop").await];
        let (held, _) = queue::claim(&server.app, &runner).await.unwrap().unwrap();
        assert_eq!(held.job, busy);
        let before = rows(&server).await;
        for path in ["/v0/projects/shop?hard=true", "/v0/organizations/ada?hard=true"] {
            refused(server.delete(path, &admin).await, 409, "runners are at work on 1 of its jobs; cancel them first");
        }
        assert_eq!(rows(&server).await, before);
        assert_eq!(server.get(&format!("/v0/projects/shop/jobs/{waiting}"), &admin).await.1["status"], "pending");

        let canceled = server.post(&format!("/v0/projects/shop/jobs/{busy}/cancel"), &admin, json!({})).await;
        assert_eq!(canceled.0, StatusCode::OK, "{}", canceled.1);
        gone(&server, &admin, "/v0/projects/shop").await;
        // Its runner delivers what nobody waits for, and is told that all is well.
        let output = vec![IterationOutput { exit_code: 0, stdout: None, ..IterationOutput::default() }];
        queue::finish(&server.app, &runner, busy, Terminal::Completed(output.into())).await.unwrap();
        assert!(files(&server).await.iter().all(|file| !file.as_ref().starts_with("jobs/")));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_project_is_hidden_everywhere_and_an_admin_brings_it_back() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let runner = runner(&server, &admin).await;
        let project = server.project(&bob, "Shop", "public").await;
        server.push_image("shop", &bob, "v1", 1).await;
        let uuid = project["uuid"].as_str().unwrap().to_owned();
        let [busy, waiting] = [run_job(&server, &bob, "shop").await, run_job(&server, &bob, "shop").await];
        queue::claim(&server.app, &runner).await.unwrap().unwrap();
        assert_eq!(server.delete("/v0/projects/shop", &bob).await.0, StatusCode::NO_CONTENT);

        for id in ["shop", &*uuid] {
            for path in ["", "/reports", "/jobs", "/branches", "/allowed/view"] {
                refused(server.get(&format!("/v0/projects/{id}{path}"), &bob).await, 404, "Project");
            }
            refused(server.delete(&format!("/v0/projects/{id}"), &bob).await, 404, "Project");
            let pull = server.client.get(format!("{}/v2/{id}/manifests/v1", server.url)).bearer_auth(&bob.token);
            assert_eq!(pull.send().await.unwrap().status(), StatusCode::NOT_FOUND);
        }
        for (user, path) in
            [(None, "/v0/projects"), (Some(&bob), "/v0/organizations/bob/projects"), (Some(&admin), "/v0/projects")]
        {
            assert_eq!(server.list(path, user, "slug").await, (vec![], 0));
        }
        assert!(queue::claim(&server.app, &runner).await.unwrap().is_none(), "its jobs wait no more");

        // Its name is free.
        let other = server.project(&bob, "Shop", "public").await;
        assert_eq!(other["slug"], "shop");
        refused(server.get("/v0/projects?deleted=true", &bob).await, 403, "admin");
        assert_eq!(server.list("/v0/projects?deleted=true", Some(&admin), "uuid").await, (vec![uuid.clone()], 1));
        let path = format!("/v0/projects/{uuid}/restore");
        refused(server.post(&path, &bob, json!({})).await, 403, "admin");
        refused(server.post("/v0/projects/shop/restore", &admin, json!({})).await, 404, "name it by its UUID");
        let restored = server.create(&path, &admin, json!({})).await;
        let slug = restored["slug"].as_str().unwrap();
        assert!(slug.starts_with("shop-"), "somebody took the old one: {slug}");
        assert_eq!((restored.get("deleted"), &restored["name"]), (None, &json!("Shop")));
        for job in [busy, waiting] {
            let (_, job) = server.get(&format!("/v0/projects/{uuid}/jobs/{job}"), &bob).await;
            assert_eq!(job["status"], "canceled");
            assert!(job["message"].as_str().unwrap().starts_with("the project was deleted by user"), "{job}");
        }
        refused(server.post(&path, &admin, json!({})).await, 404, "deleted project");

        // Nobody took the slug: it comes back.
        let uuid = other["uuid"].as_str().unwrap();
        assert_eq!(server.delete("/v0/projects/shop", &bob).await.0, StatusCode::NO_CONTENT);
        assert_eq!(server.create(&format!("/v0/projects/{uuid}/restore"), &admin, json!({})).await["slug"], "shop");
    })
    .await;
}

#[tokio::test]
async fn a_run_that_was_let_in_before_its_project_was_deleted_is_not_filed_in_it() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let uuid = server.project(&ada, "Shop", "public").await["uuid"].as_str().unwrap().to_owned();
        let found = server.app.store.project(&"shop".parse().unwrap(), None).await.unwrap().unwrap();
        assert_eq!(server.delete("/v0/projects/shop", &ada).await.0, StatusCode::NO_CONTENT);
        let new = json!({
            "branch": "main", "testbed": "box", "results": [r#"{ "sort": { "latency": { "value": 1 } } }"#],
            "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z",
        });
        let late = bencher_api::run::new_report(&server.app, &Principal::Anonymous, &found, serde_json::from_value(new).unwrap());
        assert_eq!(late.await.unwrap_err().to_string(), "Project (shop) not found");
        let (status, _) = server.post(&format!("/v0/projects/{uuid}/restore"), &ada, json!(null)).await;
        assert!(status.is_success());
        assert_eq!(server.list("/v0/projects/shop/reports", Some(&ada), "uuid").await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_organization_takes_its_projects_along_and_brings_them_back() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let acme = server.create("/v0/organizations", &bob, json!({ "name": "Acme" })).await;
        let uuid = acme["uuid"].as_str().unwrap();
        for name in ["Alone", "Shop"] {
            server.create("/v0/organizations/acme/projects", &bob, json!({ "name": name })).await;
        }
        let (_, alone) = server.get("/v0/projects/alone", &bob).await;
        assert_eq!(server.delete("/v0/projects/alone", &bob).await.0, StatusCode::NO_CONTENT);
        assert_eq!(server.delete("/v0/organizations/acme", &bob).await.0, StatusCode::NO_CONTENT);

        refused(server.get("/v0/organizations/acme", &bob).await, 404, "Organization");
        refused(server.get(&format!("/v0/organizations/{uuid}"), &admin).await, 404, "Organization");
        refused(server.get("/v0/projects/shop", &bob).await, 404, "Project");
        assert_eq!(server.list("/v0/organizations", Some(&bob), "slug").await.0, ["bob"]);
        refused(server.get("/v0/organizations?deleted=true", &bob).await, 403, "admin");
        assert_eq!(server.list("/v0/organizations?deleted=true", Some(&admin), "uuid").await, (vec![uuid.to_owned()], 1));
        let restore = format!("/v0/projects/{}/restore", alone["uuid"].as_str().unwrap());
        refused(server.post(&restore, &admin, json!({})).await, 409, "restore the organization first");

        let restored = server.create(&format!("/v0/organizations/{uuid}/restore"), &admin, json!({})).await;
        assert_eq!(restored["slug"], "acme");
        let projects = server.list("/v0/organizations/acme/projects", Some(&bob), "slug").await;
        assert_eq!(projects, (vec!["shop".to_owned()], 1), "what was deleted before stays deleted");
        server.create(&restore, &admin, json!({})).await;
    })
    .await;
}

#[tokio::test]
async fn what_was_deleted_is_removed_for_good_by_an_admin() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        server.create("/v0/organizations", &bob, json!({ "name": "Acme" })).await;
        let before = rows(&server).await;
        let project = server.create("/v0/organizations/acme/projects", &bob, json!({ "name": "Shop" })).await;
        let path = format!("/v0/projects/{}", project["uuid"].as_str().unwrap());
        assert_eq!(server.delete(&path, &bob).await.0, StatusCode::NO_CONTENT);
        refused(server.delete(&format!("{path}?hard=true"), &bob).await, 404, "Project");
        refused(server.delete(&path, &admin).await, 404, "Project");
        gone(&server, &admin, &path).await;
        assert_eq!(rows(&server).await, before);

        let (_, acme) = server.get("/v0/organizations/acme", &bob).await;
        let path = format!("/v0/organizations/{}", acme["uuid"].as_str().unwrap());
        assert_eq!(server.delete(&path, &bob).await.0, StatusCode::NO_CONTENT);
        gone(&server, &admin, &path).await;
        assert_eq!(server.list("/v0/organizations?deleted=true", Some(&admin), "slug").await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_removal_that_was_interrupted_goes_on_when_the_server_starts() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let runner = runner(&server, &admin).await;
        let acme = server.create("/v0/organizations", &admin, json!({ "name": "Acme" })).await;
        let before = (rows(&server).await, files(&server).await);
        server.create("/v0/organizations/acme/projects", &admin, json!({ "name": "Shop" })).await;
        fill(&server, &admin, "shop", &runner).await;
        let (_, project) = server.get("/v0/projects/shop", &admin).await;
        let id = server.app.store.project(&"shop".parse().unwrap(), None).await.unwrap().unwrap().id;
        server.app.store.begin_project_purge(id, "gone", server.app.clock.now()).await.unwrap();
        let restore = format!("/v0/projects/{}/restore", project["uuid"].as_str().unwrap());
        refused(server.post(&restore, &admin, json!({})).await, 409, "cannot come back");
        assert!(acme["uuid"].is_string());

        let server = server.restart().await;
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while rows(&server).await != before.0 {
            assert!(std::time::Instant::now() < deadline, "{:?} is not {:?}", rows(&server).await, before.0);
            tokio::task::yield_now().await;
        }
        assert_eq!(files(&server).await, before.1);
    })
    .await;
}

#[tokio::test]
async fn only_leaders_and_admins_delete() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let [lea, dev, eve] = [server.sign_up("Lea").await, server.sign_up("Dev").await, server.sign_up("Eve").await];
        server.create("/v0/organizations", &lea, json!({ "name": "Acme" })).await;
        server.create("/v0/organizations/acme/projects", &lea, json!({ "name": "Shop" })).await;
        server.join(&dev, &lea, "acme", "developer").await;
        for (path, expected) in [("/v0/projects/shop", [403, 403, 204]), ("/v0/organizations/acme", [404, 403, 204])] {
            for hard in ["", "?hard=true"] {
                let path = format!("{path}{hard}");
                assert_eq!(server.delete(&path, &eve).await.0, expected[0], "{path}");
                assert_eq!(server.delete(&path, &dev).await.0, expected[1], "{path}");
                assert_eq!(server.send(Method::DELETE, &path, None, None).await.0, StatusCode::BAD_REQUEST, "{path}");
            }
        }
        assert_eq!(server.delete("/v0/projects/shop", &admin).await.0, StatusCode::NO_CONTENT);
        assert_eq!(server.delete("/v0/organizations/acme", &lea).await.0, StatusCode::NO_CONTENT);
    })
    .await;
}
