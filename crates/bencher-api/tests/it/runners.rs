//! `/v0/runners`.

use reqwest::StatusCode;
use serde_json::json;

use crate::{setup::refused, support::on_each_database};

#[tokio::test]
async fn a_runners_key_is_shown_once_and_can_be_replaced() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let made = server.create("/v0/runners", &admin, json!({ "name": "Box 1" })).await;
        let first = made["key"].as_str().unwrap().to_owned();
        assert!(first.starts_with("bencher_runner_"));
        let (_, runner) = server.get("/v0/runners/box-1", &admin).await;
        assert_eq!(
            (&runner["uuid"], runner.get("key"), &runner["specs"], &runner["state"]),
            (&made["uuid"], None, &json!([]), &json!("offline"))
        );
        for path in ["/v0/runners/box-1/key", "/v0/runners/box-1/token"] {
            let rotated = server.create(path, &admin, json!(null)).await;
            assert_eq!(rotated["uuid"], made["uuid"]);
            assert_ne!(rotated["key"].as_str(), Some(first.as_str()));
        }
        refused(server.post("/v0/runners", &admin, json!({ "name": "Other", "slug": "box-1" })).await, 409, "slug");
    })
    .await;
}

#[tokio::test]
async fn an_archived_runner_gets_no_key_and_is_not_listed() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        server.create("/v0/runners", &admin, json!({ "name": "box" })).await;
        let (_, runner) = server.patch("/v0/runners/box", &admin, json!({ "archived": true })).await;
        assert!(runner["archived"].is_string());
        refused(server.post("/v0/runners/box/key", &admin, json!(null)).await, 409, "archived");
        assert_eq!(server.list("/v0/runners", Some(&admin), "slug").await.1, 0);
        assert_eq!(server.list("/v0/runners?archived=true", Some(&admin), "slug").await.1, 1);
        let (_, runner) = server.patch("/v0/runners/box", &admin, json!({ "archived": false, "name": "Bench" })).await;
        assert!(runner.get("archived").is_none() && runner["name"] == "Bench" && runner["slug"] == "box");
    })
    .await;
}

#[tokio::test]
async fn a_runner_serves_specs() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let spec = server.spec(&admin, "Small", false).await;
        server.spec(&admin, "Old", false).await;
        server.patch("/v0/specs/old", &admin, json!({ "archived": true })).await;
        server.create("/v0/runners", &admin, json!({ "name": "box" })).await;
        let added = server.create("/v0/runners/box/specs", &admin, json!({ "spec": "small" })).await;
        assert_eq!(added, spec);
        refused(server.post("/v0/runners/box/specs", &admin, json!({ "spec": spec["uuid"] })).await, 409, "already");
        refused(server.post("/v0/runners/box/specs", &admin, json!({ "spec": "none" })).await, 404, "Spec (none)");
        refused(server.post("/v0/runners/box/specs", &admin, json!({ "spec": "old" })).await, 409, "archived");
        assert_eq!(server.get("/v0/runners/box/specs", &admin).await.1, json!([spec]));
        assert_eq!(server.get("/v0/runners/box", &admin).await.1["specs"], json!([spec["uuid"]]));
        assert_eq!(server.get("/v0/runners", &admin).await.1[0]["specs"], json!([spec["uuid"]]));
        assert_eq!(server.delete("/v0/runners/box/specs/small", &admin).await.0, StatusCode::NO_CONTENT);
        refused(server.delete("/v0/runners/box/specs/small", &admin).await, 404, "not one of the runner's");
    })
    .await;
}

#[tokio::test]
async fn runners_are_for_admins() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        server.create("/v0/runners", &admin, json!({ "name": "box" })).await;
        for path in ["/v0/runners", "/v0/runners/box", "/v0/runners/box/specs"] {
            refused(server.get(path, &bob).await, 403, "admin");
        }
        refused(server.post("/v0/runners", &bob, json!({ "name": "mine" })).await, 403, "admin");
        refused(server.post("/v0/runners/box/key", &bob, json!(null)).await, 403, "admin");
        refused(server.get("/v0/runners/none", &admin).await, 404, "Runner (none) not found");
    })
    .await;
}
