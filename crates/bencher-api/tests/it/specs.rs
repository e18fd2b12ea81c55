//! `/v0/specs`.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    setup::refused,
    support::{TestServer, on_each_database},
};

#[tokio::test]
async fn specs_are_for_admins() {
    let server = TestServer::start().await;
    // 400, not 401, is what clients of the v0.6 series expect where no credentials were sent.
    assert_eq!(server.send(Method::GET, "/v0/specs", None, None).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(server.send(Method::GET, "/v0/specs", Some("nonsense"), None).await.0, StatusCode::UNAUTHORIZED);
    server.sign_up("Ada").await;
    let bob = server.sign_up("Bob").await;
    refused(server.get("/v0/specs", &bob).await, 403, "admin");
}

#[tokio::test]
async fn there_is_one_fallback_at_most() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        server.spec(&admin, "Small", true).await;
        server.spec(&admin, "Large", true).await;
        assert!(server.get("/v0/specs/small", &admin).await.1.get("fallback").is_none());
        assert!(server.get("/v0/specs/large", &admin).await.1["fallback"].is_string());

        let (_, small) = server.patch("/v0/specs/small", &admin, json!({ "fallback": true })).await;
        assert!(small["fallback"].is_string());
        assert!(server.get("/v0/specs/large", &admin).await.1.get("fallback").is_none());
        server.patch("/v0/specs/small", &admin, json!({ "fallback": false })).await;
        assert!(server.get("/v0/specs/small", &admin).await.1.get("fallback").is_none());
    })
    .await;
}

#[tokio::test]
async fn an_archived_spec_is_no_fallback_and_not_listed() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        server.spec(&admin, "Small", true).await;
        server.spec(&admin, "Large", false).await;
        let (_, small) = server.patch("/v0/specs/small", &admin, json!({ "archived": true })).await;
        assert!(small["archived"].is_string() && small.get("fallback").is_none());
        assert_eq!(server.list("/v0/specs", Some(&admin), "slug").await, (vec!["large".to_owned()], 1));
        assert_eq!(server.list("/v0/specs?archived=true", Some(&admin), "slug").await.1, 2);
        refused(server.patch("/v0/specs/small", &admin, json!({ "fallback": true })).await, 400, "archive");
        let (_, small) = server.patch("/v0/specs/small", &admin, json!({ "archived": false, "name": "Tiny" })).await;
        assert!(small.get("archived").is_none() && small["name"] == "Tiny" && small["cpu"] == 2);
    })
    .await;
}

#[tokio::test]
async fn a_spec_that_is_used_is_not_deleted() {
    on_each_database(async |server| {
        let admin = server.sign_up("Ada").await;
        server.spec(&admin, "Small", false).await;
        server.create("/v0/runners", &admin, json!({ "name": "box" })).await;
        server.create("/v0/runners/box/specs", &admin, json!({ "spec": "small" })).await;
        refused(server.delete("/v0/specs/small", &admin).await, 409, "archive it instead");
        assert_eq!(server.delete("/v0/runners/box/specs/small", &admin).await.0, StatusCode::NO_CONTENT);
        assert_eq!(server.delete("/v0/specs/small", &admin).await.0, StatusCode::NO_CONTENT);
        refused(server.get("/v0/specs/small", &admin).await, 404, "Spec (small) not found");
    })
    .await;
}

#[tokio::test]
async fn hardware_is_checked() {
    let server = TestServer::start().await;
    let admin = server.sign_up("Ada").await;
    let spec = json!({ "name": "None", "os": "linux", "architecture": "x86_64", "cpu": 0, "memory": 1, "disk": 1 });
    refused(server.post("/v0/specs", &admin, spec).await, 400, "number of CPUs");
}
