//! What jobs ask of the registry: the digest of an image's name, and a token for the runner.

use std::time::Duration;

use bencher_api::{registry::runner_pull_token, store::Queries as _, values};
use bencher_types::{ProjectUuid, RunnerUuid};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, keeper, sha256};
use crate::{
    setup::TestUser,
    support::{TestServer, on_each_database},
};

#[derive(sqlx::FromRow)]
struct Stored {
    config: String,
}

#[tokio::test]
async fn a_jobs_image_becomes_the_digest_that_its_name_stands_for() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let admin = server.confirm("admin@example.com").await;
        server.spec(&admin, "Small", true).await;
        let (_, root) = server.push_image("shop", &user, "latest", 1).await;
        let (_, nested) = server.push_image("shop/a/b", &user, "v1", 2).await;
        let run = async |image: &str| {
            let now = "2026-01-01T00:00:00Z";
            let body = json!({ "start_time": now, "end_time": now, "results": [], "job": { "image": image } });
            server.post("/v0/run", &user, body).await
        };
        let port = server.url.rsplit(':').next().unwrap();
        for (image, digest) in [
            ("shop".to_owned(), &root),
            (format!("localhost:{port}/shop/a/b:v1"), &nested),
            (format!("shop/a/b@{nested}"), &nested),
        ] {
            let (status, report) = run(&image).await;
            assert_eq!(status, 201, "{image}: {report}");
            let mut conn = server.app.store.read().await.unwrap();
            let job = report["job"].as_str().unwrap().to_owned();
            let stored: Stored = conn.one("SELECT config FROM job WHERE uuid = $1", values![job]).await.unwrap();
            let config: Value = serde_json::from_str(&stored.config).unwrap();
            assert_eq!(config["digest"], json!(digest.to_string()), "{image}");
        }
        // A layer was never pushed: no runner could run it.
        let sparse = super::image(br#"{"os":"linux","architecture":"amd64"}"#, &[b"never pushed"]);
        server.push_blob("shop/sparse", &user, br#"{"os":"linux","architecture":"amd64"}"#).await;
        server.put_manifest("shop/sparse", &user, "latest", &sparse).await.expect(201);
        let missing = format!("is not complete: the project shop lacks {}", sha256(b"never pushed"));
        crate::setup::refused(run("shop/sparse").await, 400, &missing);
        // Nor could this server's, where an index lists it; what is for other machines need not be here.
        let for_machine = |document: &[u8], architecture: &str| {
            let mut entry = super::descriptor(super::OCI_MANIFEST, document);
            entry["platform"] = json!({ "os": "linux", "architecture": architecture });
            entry
        };
        let (whole, _) = server.push_image("shop/sparse", &user, "whole", 3).await;
        for (tag, amd64, expected) in [("whole", &whole, 201), ("sparse", &sparse, 400)] {
            let entries = [for_machine(amd64.to_string().as_bytes(), "amd64"), for_machine(b"elsewhere", "arm64")];
            let index = json!({ "schemaVersion": 2, "mediaType": super::OCI_INDEX, "manifests": entries });
            server.put_manifest("shop/index", &user, tag, &index).await.expect(201);
            let (status, answer) = run(&format!("shop/index:{tag}")).await;
            assert_eq!(status, expected, "{tag}: {answer}");
        }
        for image in ["shop:v1", "shop/a/b", "shop/a:v1", &format!("shop@{}", sha256(b"none"))] {
            assert_eq!(run(image).await.0, 400, "{image}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_runner_pulls_by_digest_under_its_projects_uuid_and_nothing_else() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let admin = server.confirm("admin@example.com").await;
        server.project(&user, "bank", "private").await;
        let (manifest, digest) = server.push_image("bank/core", &user, "v1", 1).await;
        let layer = manifest["layers"][0]["digest"].as_str().unwrap().to_owned();
        let bank = project(&server, "bank").await;
        let shop = project(&server, "shop").await;
        let created = server.create("/v0/runners", &admin, json!({ "name": "Metal" })).await;
        let runner: RunnerUuid = created["uuid"].as_str().unwrap().parse().unwrap();
        let token = |project| {
            let token = runner_pull_token(&server.app, runner, project, Duration::from_secs(60));
            TestUser { token: token.expose().to_owned(), uuid: String::new(), slug: String::new() }
        };
        let get = async |path: String, token: &TestUser| Answer::of(server.oci(Method::GET, &path, token)).await;

        let right = token(bank);
        Answer::of(server.client.get(format!("{}/v2/", server.url)).bearer_auth(&right.token)).await.expect(200);
        get(format!("{bank}/manifests/{digest}"), &right).await.expect(200);
        get(format!("{bank}/blobs/{layer}"), &right).await.expect(200);
        get(format!("bank/core/blobs/{layer}"), &right).await.expect(200);
        Answer::of(server.oci(Method::POST, &format!("{bank}/blobs/uploads/"), &right)).await.expect_error(403, "DENIED");
        get(format!("{shop}/manifests/{digest}"), &right).await.expect_error(403, "DENIED");
        get(format!("none/manifests/{digest}"), &right).await.expect_error(403, "DENIED");
        get(format!("{bank}/manifests/{digest}"), &token(shop)).await.expect_error(403, "DENIED");

        server.patch(&format!("/v0/runners/{runner}"), &admin, json!({ "archived": true })).await;
        get(format!("{bank}/manifests/{digest}"), &right).await.expect_error(401, "UNAUTHORIZED");
    })
    .await;
}

pub(super) async fn project(server: &TestServer, slug: &str) -> ProjectUuid {
    let row = server.app.store.project(&slug.parse().unwrap(), None).await.unwrap().expect("a project");
    row.uuid.0
}

#[derive(sqlx::FromRow)]
struct Queued {
    config: String,
    priority: i64,
    source: Option<String>,
}

#[tokio::test]
async fn an_anonymous_job_comes_last_is_short_and_counts_for_its_address() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let admin = server.confirm("admin@example.com").await;
        server.spec(&admin, "Small", true).await;
        let anybody = TestUser {
            token: server.token(None, &["repository:tool:pull,push"]).await,
            uuid: String::new(),
            slug: String::new(),
        };
        server.push_image("tool", &anybody, "v1", 1).await;
        let elsewhere = reqwest::Client::builder().no_proxy().local_address(Some([127, 0, 0, 2].into())).build().unwrap();
        let run = async |client: &reqwest::Client, token: Option<&str>, job: Value| {
            let now = "2026-01-01T00:00:00Z";
            let body = json!({ "start_time": now, "end_time": now, "results": [], "job": job });
            let mut request = client.post(format!("{}/v0/run", server.url)).json(&body);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let response = request.send().await.unwrap();
            let status = response.status();
            let report: Value = response.json().await.unwrap();
            let Some(job) = report["job"].as_str() else { return Err((status.as_u16(), report["message"].to_string())) };
            let mut conn = server.app.store.read().await.unwrap();
            let sql = "SELECT config, priority, source FROM job WHERE uuid = $1";
            let row: Queued = conn.one(sql, values![job.to_owned()]).await.unwrap();
            let config: Value = serde_json::from_str(&row.config).unwrap();
            Ok((config["timeout"].as_u64().unwrap(), row.priority, row.source))
        };
        let image = json!({ "image": "tool:v1" });
        let long = json!({ "image": "tool:v1", "timeout": 3600, "iter": 6 });
        assert_eq!(run(&server.client, None, image.clone()).await, Ok((60, 0, Some("127.0.0.1".to_owned()))));
        assert_eq!(run(&elsewhere, None, long.clone()).await, Ok((10, 0, Some("127.0.0.2".to_owned()))));
        let endless = run(&server.client, None, json!({ "image": "tool:v1", "iter": 61 })).await;
        assert!(endless.is_err_and(|(status, message)| status == 400 && message.contains("61 iterations")));
        // Whoever claims the project with a run has its job as a member has.
        assert_eq!(run(&server.client, Some(&user.token), long).await, Ok((3600, 100, None)));
        let closed = run(&server.client, None, image).await;
        assert!(closed.is_err_and(|(status, _)| status == 401));
    })
    .await;
}
