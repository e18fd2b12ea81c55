//! What browsers are told.

use reqwest::{Method, header};
use serde_json::json;

use super::server;
use crate::support::TestServer;

#[tokio::test]
async fn every_answer_guards_itself() {
    let server = TestServer::start().await;
    for path in ["/v0/server/version", "/no/such/route", "/v2/", "/healthz"] {
        let answer = server.client.get(format!("{}{path}", server.url)).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(header("referrer-policy").as_deref(), Some("no-referrer"), "{path}");
        assert_eq!(header("x-frame-options").as_deref(), Some("DENY"), "{path}");
        assert_eq!(header("content-security-policy").as_deref(), Some("frame-ancestors 'none'"), "{path}");
        assert_eq!(header("strict-transport-security"), None, "{path}: there is no TLS");
        assert_eq!(header("cache-control"), None, "{path}: anybody may have this");
        assert!(header("x-request-id").is_some(), "{path}");
    }
}

#[tokio::test]
async fn answers_with_or_for_credentials_are_not_stored() {
    let server = TestServer::start().await;
    let ada = server.sign_up("Ada").await;
    let no_store = |answer: &reqwest::Response| answer.headers().get("cache-control").is_some_and(|value| value == "no-store");
    let listed = server.client.get(format!("{}/v0/projects", server.url)).bearer_auth(&ada.token).send().await.unwrap();
    assert!(no_store(&listed));
    let token = json!({ "token": server.confirmation("ada@example.com") });
    let confirmed = server.client.post(format!("{}/v0/auth/confirm", server.url)).json(&token).send().await.unwrap();
    assert!(no_store(&confirmed) && confirmed.status().is_success());
    let registry = server.client.get(format!("{}/v0/auth/oci/token", server.url)).send().await.unwrap();
    assert!(no_store(&registry) && registry.status().is_success());
}

async fn preflight(server: &TestServer, path: &str, origin: &str) -> header::HeaderMap {
    let answer = server
        .client
        .request(Method::OPTIONS, format!("{}{path}", server.url))
        .header("origin", origin)
        .header("access-control-request-method", "PATCH")
        .header("access-control-request-headers", "authorization,content-type")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), reqwest::StatusCode::OK);
    answer.headers().clone()
}

#[tokio::test]
async fn pages_of_any_origin_may_call_the_api_unless_origins_are_named() {
    let any = TestServer::start().await;
    for path in ["/v0/projects", "/v0/run", "/no/such/route"] {
        let headers = preflight(&any, path, "https://anywhere.example").await;
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert_eq!(headers["access-control-allow-headers"], "content-type,authorization,last-event-id");
        assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("PATCH"));
    }
    let refused = any.client.get(format!("{}/v0/users", any.url)).header("origin", "https://anywhere.example");
    let headers = refused.send().await.unwrap().headers().clone();
    assert_eq!(headers["access-control-allow-origin"], "*", "a page can read why it was refused");
    assert!(headers["access-control-expose-headers"].to_str().unwrap().contains("x-total-count"));

    let named = server(|config| config.server.allowed_origins = Some(vec!["https://bench.example.com".to_owned()])).await;
    let allowed = preflight(&named, "/v0/run", "https://bench.example.com").await;
    assert_eq!(allowed["access-control-allow-origin"], "https://bench.example.com");
    let other = preflight(&named, "/v0/run", "https://evil.example").await;
    assert!(!other.contains_key("access-control-allow-origin"));
}
