//! What the server says of itself, and what happens around every request.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{TestServer, on_each_database};

#[tokio::test]
async fn version_names_the_protocol_and_the_product() {
    let server = TestServer::start().await;
    let (status, body) = server.send(Method::GET, "/v0/server/version", None, None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body, json!({ "version": "0.6.12", "product_version": env!("CARGO_PKG_VERSION") }));
}

#[tokio::test]
async fn repeated_and_trailing_slashes_are_collapsed() {
    let server = TestServer::start().await;
    for path in ["//v0/server/version", "/v0//server/version", "/v0/server/version/"] {
        assert_eq!(server.send(Method::GET, path, None, None).await.0, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn an_error_names_its_request() {
    let server = TestServer::start().await;
    let response = server.client.get(format!("{}/no/such/route", server.url)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let header = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(body, json!({ "request_id": header, "message": "Not Found" }));
}

#[tokio::test]
async fn a_wrong_method_is_told_apart_from_a_wrong_path() {
    let server = TestServer::start().await;
    let (status, body) = server.send(Method::DELETE, "/v0/server/version", None, None).await;
    assert_eq!((status, body["message"].as_str()), (StatusCode::METHOD_NOT_ALLOWED, Some("Method Not Allowed")));
}

#[tokio::test]
async fn a_started_server_is_healthy_and_ready() {
    on_each_database(async |server| {
        for path in ["/healthz", "/readyz"] {
            assert_eq!(server.send(Method::GET, path, None, None).await.0, StatusCode::OK, "{path}");
        }
    })
    .await;
}
