//! Rules of a project for which images it keeps.

use bencher_api::registry::collect;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Answer, collect::server, keeper};
use crate::{
    setup::TestUser,
    support::{Backend, TestServer},
};

const RULES: &str = "/v0/projects/shop/registry/retention";

async fn put(server: &TestServer, user: &TestUser, rules: Value) -> (StatusCode, Value) {
    server.send(Method::PUT, RULES, Some(&user.token), Some(rules)).await
}

async fn tags(server: &TestServer, user: &TestUser) -> Vec<String> {
    server.list("/v0/projects/shop/images?per_page=100", Some(user), "tag").await.0
}

/// As if everything had been pushed long ago.
async fn age(server: &TestServer) {
    server.end_leases().await;
    server.sql("UPDATE oci_tag SET modified = modified - 100 * 86400000000").await;
    server.sql("UPDATE oci_manifest SET created = created - 100 * 86400000000").await;
}

/// An image, and a job that is to run it.
async fn job(server: &TestServer, user: &TestUser, image: &str) -> String {
    let run = json!({
        "project": "shop", "results": [], "job": { "image": image },
        "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z",
    });
    server.create("/v0/run", user, run).await["job"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_project_keeps_what_its_rules_say_and_what_its_jobs_need() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(server) = server(backend, 0, None).await else { continue };
        let user = keeper(&server).await;
        server.spec(&server.confirm("admin@example.com").await, "Small", true).await;
        for seed in 1..=4 {
            server.push_image("shop", &user, &format!("v{seed}"), seed).await;
        }
        let (_, untagged) = server.push_image("shop", &user, "moved", 5).await;
        server.push_image("shop", &user, "moved", 4).await;
        let waiting = job(&server, &user, "shop:v1").await;
        age(&server).await;
        server.push_image("shop/tools", &user, "only", 6).await;

        assert_eq!(server.collect().await.tags, 0, "without rules everything stays");
        assert_eq!(server.get(RULES, &user).await.1, json!({}));
        let rules = json!({ "keep_tags": 1, "keep_days": 30 });
        let preview = server.post(&format!("{RULES}/preview"), &user, rules.clone()).await.1;
        let named = |tag: &Value| tag["tag"].as_str().unwrap().to_owned();
        let mut would_go: Vec<String> = preview["tags"].as_array().unwrap().iter().map(named).collect();
        would_go.sort();
        assert_eq!(would_go, ["v2", "v3", "v4"], "the newest tag is kept, and what a job is to run");
        assert_eq!(preview["manifests"], 3, "of two tags and of none; a third is kept by its other tag");
        assert_eq!(put(&server, &user, rules.clone()).await, (StatusCode::OK, rules.clone()));
        assert_eq!(server.get(RULES, &user).await.1, rules);

        let preview = collect::preview(&server.app).await.unwrap();
        assert_eq!((preview.tags, preview.manifests), (3, 3));
        let collected = server.collect().await;
        assert_eq!((collected.tags, collected.manifests, collected.blobs), (3, 3, 6));
        let mut left = tags(&server, &user).await;
        left.sort();
        assert_eq!(left, ["moved", "only", "v1"]);
        Answer::of(server.oci(Method::GET, &format!("shop/manifests/{untagged}"), &user)).await.expect(404);

        // The job needs its image no more.
        let canceled = server.post(&format!("/v0/projects/shop/jobs/{waiting}/cancel"), &user, json!({})).await;
        assert_eq!(canceled.0, StatusCode::OK);
        put(&server, &user, json!({ "keep_tags": 1, "keep_used_days": 7 })).await;
        assert_eq!(server.collect().await.tags, 0, "it was used lately");
        put(&server, &user, json!({ "keep_tags": 1 })).await;
        assert_eq!(server.collect().await.tags, 1);
        put(&server, &user, json!({})).await;
        assert_eq!(server.get(RULES, &user).await.1, json!({}));
    }
}

#[tokio::test]
async fn a_manifest_that_no_rule_keeps_can_be_pulled_for_the_grace_period() {
    let server = server(Backend::Sqlite, 3600, None).await.unwrap();
    let user = keeper(&server).await;
    let (_, digest) = server.push_image("shop", &user, "v1", 1).await;
    server.push_image("shop", &user, "v2", 2).await;
    age(&server).await;
    put(&server, &user, json!({ "keep_tags": 1 })).await;
    let collected = server.collect().await;
    assert_eq!((collected.tags, collected.manifests), (1, 0));
    let path = format!("shop/manifests/{digest}");
    Answer::of(server.oci(Method::GET, &path, &user)).await.expect(200);
    // Who pushes it again has it for good.
    server.push_image("shop", &user, "again", 1).await;
    server.sql("UPDATE oci_manifest SET expired = expired - 3600000000").await;
    assert_eq!(server.collect().await.manifests, 0);
    Answer::of(server.oci(Method::GET, &path, &user)).await.expect(200);
}

#[tokio::test]
async fn leaders_set_the_rules() {
    let server = server(Backend::Sqlite, 0, None).await.unwrap();
    let user = keeper(&server).await;
    let other = server.sign_up("Other").await;
    assert_eq!(put(&server, &other, json!({ "keep_tags": 0 })).await.0, StatusCode::FORBIDDEN);
    assert_eq!(put(&server, &user, json!({ "keep_tags": -1 })).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(put(&server, &user, json!({ "keep_tags": 5 })).await.0, StatusCode::OK);
}
