//! Rate limits: who is counted for what, and what a refusal looks like.

use bencher_api::config::rate_limiting::RateLimiting;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::{from_json, server};
use crate::{
    rows,
    setup::{TestUser, refused},
    support::TestServer,
};

async fn limited(rates: Value) -> TestServer {
    limited_behind(rates, json!([])).await
}

async fn limited_behind(rates: Value, proxies: Value) -> TestServer {
    server(|config| {
        config.plus.get_or_insert_default().rate_limiting = Some(from_json::<RateLimiting>(rates));
        config.server.trusted_proxies = from_json(proxies);
    })
    .await
}

/// A request of nobody.
async fn anonymous(server: &TestServer, path: &str) -> (StatusCode, Value) {
    server.send(Method::GET, path, None, None).await
}

#[tokio::test]
async fn an_address_is_limited_and_told_when_to_come_back() {
    let server = limited(json!({ "public": { "requests": { "minute": 2 } } })).await;
    for _ in 0..2 {
        assert_eq!(anonymous(&server, "/v0/projects").await.0, StatusCode::OK);
    }
    let response = server.client.get(format!("{}/v0/projects", server.url)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    let message = format!("too many requests from this address: try again in {seconds} s");
    assert_eq!(body, json!({ "request_id": id, "message": message }));

    refused(anonymous(&server, "/no/such/route").await, 429, "this address");
    for path in ["/v0/server/version", "/healthz", "/readyz"] {
        assert_eq!(anonymous(&server, path).await.0, StatusCode::OK, "{path} is free");
    }
    let preflight = server.client.request(Method::OPTIONS, format!("{}/v0/projects", server.url)).send().await.unwrap();
    assert_eq!(preflight.status(), StatusCode::OK, "what a browser asks by itself is free");
}

#[tokio::test]
async fn a_user_is_counted_wherever_they_are_and_others_are_not() {
    // Signing up and confirming are two requests of nobody, for each of the two.
    let server = limited(json!({ "public": { "requests": { "minute": 4 } }, "user": { "requests": { "minute": 3 } } })).await;
    let (ada, bob) = (server.sign_up("Ada").await, server.sign_up("Bob").await);
    refused(anonymous(&server, "/v0/projects").await, 429, "this address");
    for _ in 0..3 {
        assert_eq!(server.get("/v0/projects", &ada).await.0, StatusCode::OK, "a user is not their address");
    }
    refused(server.get("/v0/projects", &ada).await, 429, "too many requests from this user");
    assert_eq!(server.get("/v0/projects", &bob).await.0, StatusCode::OK);
}

#[tokio::test]
async fn credentials_that_are_not_valid_are_attempts_of_their_address() {
    let server = limited(json!({ "public": { "attempts": { "minute": 5 } } })).await;
    let ada = server.sign_up("Ada").await;
    let wrong = |path: &'static str| server.send(Method::GET, path, Some("bencher_user_nonsense"), None);
    for _ in 0..2 {
        assert_eq!(wrong("/v0/projects").await.0, StatusCode::UNAUTHORIZED);
    }
    let with_password = || server.client.get(format!("{}/v0/auth/oci/token", server.url)).basic_auth("ada", Some("nonsense"));
    assert_eq!(with_password().send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    refused(wrong("/v0/projects").await, 429, "too many attempts to log in from this address");
    refused(wrong("/v0/users").await, 429, "too many attempts");
    let answer = with_password().send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.json::<Value>().await.unwrap()["errors"][0]["code"], "TOOMANYREQUESTS");
    let login = json!({ "email": "ada@example.com" });
    refused(server.send(Method::POST, "/v0/auth/login", None, Some(login)).await, 429, "attempts");
    assert_eq!(server.get("/v0/projects", &ada).await.0, StatusCode::OK, "who has valid ones is not shut out by others");
}

#[tokio::test]
async fn credentials_that_nobody_looks_at_do_not_help() {
    let server = limited(json!({ "public": { "requests": { "minute": 1 } } })).await;
    let nonsense = async |path| server.send(Method::GET, path, Some("bencher_runner_nonsense"), None).await;
    assert_eq!(nonsense("/v0/server/spec").await.0, StatusCode::OK);
    refused(nonsense("/v0/server/spec").await, 429, "too many requests from this address");
    refused(nonsense("/no/such/route").await, 429, "too many requests from this address");
}

#[tokio::test]
async fn the_registry_is_counted_apart_and_refuses_in_its_own_shape() {
    let server = limited(json!({ "public": { "requests": { "minute": 2 }, "registry": { "minute": 1 } } })).await;
    let request = || server.client.get(format!("{}/v2/", server.url)).send();
    assert_eq!(request().await.unwrap().status(), StatusCode::UNAUTHORIZED, "a challenge is no attempt");
    let answer = request().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(answer.json::<Value>().await.unwrap()["errors"][0]["code"], "TOOMANYREQUESTS");
    assert_eq!(anonymous(&server, "/v0/projects").await.0, StatusCode::OK);
}

#[tokio::test]
async fn users_and_projects_have_rates_of_their_own_in_the_registry() {
    let rates = json!({ "user": { "registry": { "minute": 2 } }, "project": { "registry": { "minute": 1 } } });
    let server = limited(rates).await;
    let ada = server.sign_up("Ada").await;
    let project = server.project(&ada, "shop", "public").await;
    let path = format!("/v0/projects/{}/keys", project["uuid"].as_str().unwrap());
    let key = server.create(&path, &ada, json!({ "name": "a key" })).await;
    let ask = async |token: &str| server.send(Method::GET, "/v2/", Some(token), None).await;
    for (token, times) in [(&*ada.token, 2), (key["key"].as_str().unwrap(), 1)] {
        for _ in 0..times {
            assert_eq!(ask(token).await.0, StatusCode::OK);
        }
        let (status, answer) = ask(token).await;
        assert_eq!((status, &answer["errors"][0]["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("TOOMANYREQUESTS")));
    }
    assert_eq!(server.get("/v0/projects", &ada).await.0, StatusCode::OK);
}

#[tokio::test]
async fn logging_in_is_limited_per_account_whether_or_not_it_exists() {
    let server = limited(json!({ "user": { "attempts": { "minute": 2 } } })).await;
    server.sign_up("Ada").await;
    let login = async |email: &str| server.send(Method::POST, "/v0/auth/login", None, Some(json!({ "email": email }))).await;
    let mut answers = Vec::new();
    // The sign-up was the first.
    login("nobody@example.com").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let accepted = login(email).await;
        assert_eq!((accepted.0, &accepted.1["email"]), (StatusCode::ACCEPTED, &json!(email)));
        let (status, body) = login(&email.to_uppercase().replace("EXAMPLE.COM", "Example.com")).await;
        answers.push((status, body["message"].clone()));
    }
    assert_eq!(answers[0], answers[1]);
    refused((answers[0].0, json!({ "message": answers[0].1 })), 429, "too many attempts to log in from this account");
}

#[tokio::test]
async fn a_runner_may_not_connect_all_the_time() {
    let server = limited(json!({ "runner": { "requests": { "minute": 1 } }, "public": { "requests": { "minute": 1 } } })).await;
    let spec = rows::spec(&server.app.store).await;
    let (runner, other) = (rows::runner(&server.app.store, spec).await, rows::runner(&server.app.store, spec).await);
    let connect = async |runner: &rows::Runner| {
        let url = format!("{}/v0/runners/{}/channel", server.url.replace("http://", "ws://"), runner.uuid);
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", runner.key.expose()).parse().unwrap());
        match tokio_tungstenite::connect_async(request).await {
            Ok(_) => 101,
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                assert!(response.headers().contains_key("retry-after"));
                response.status().as_u16()
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!([connect(&runner).await, connect(&runner).await, connect(&other).await], [101, 429, 101]);
}

#[tokio::test]
async fn what_a_user_makes_is_limited() {
    let once = json!({ "minute": 1 });
    let server = limited(json!({ "user": { "credentials": once, "organizations": once, "runs": once } })).await;
    let ada: TestUser = server.sign_up("Ada").await;
    server.project(&ada, "Shop", "public").await;
    let keys = format!("/v0/users/{}/keys", ada.uuid);
    let time = "2026-01-01T00:00:00Z";
    let results = [r#"{"b":{"latency":{"value":1.0}}}"#];
    let run = json!({ "project": "shop", "branch": "main", "testbed": "box", "start_time": time, "end_time": time, "results": results });
    for (path, body, what) in [
        (keys.as_str(), json!({ "name": "a key" }), "too many new keys and tokens from this user"),
        ("/v0/organizations", json!({ "name": "Shop" }), "too many new organizations from this user"),
        ("/v0/run", run.clone(), "too many runs from this user"),
    ] {
        server.create(path, &ada, body.clone()).await;
        refused(server.post(path, &ada, body).await, 429, what);
    }
    refused(server.post("/v0/projects/shop/reports", &ada, run).await, 429, "too many runs from this user");
    assert_eq!(server.get(&keys, &ada).await.0, StatusCode::OK, "looking is not making");
}

#[tokio::test]
async fn behind_a_trusted_proxy_its_clients_are_counted_each() {
    let rates = json!({ "public": { "requests": { "minute": 1 } } });
    let from = async |server: &TestServer, client: &str| {
        let request = server.client.get(format!("{}/v0/projects", server.url)).header("x-forwarded-for", client);
        request.send().await.unwrap().status().as_u16()
    };
    let server = limited_behind(rates.clone(), json!(["127.0.0.0/8"])).await;
    assert_eq!([from(&server, "192.0.2.1").await, from(&server, "192.0.2.1").await], [200, 429]);
    assert_eq!([from(&server, "192.0.2.2").await, from(&server, "192.0.2.9, 192.0.2.2").await], [200, 429]);
    assert_eq!([from(&server, "2001:db8::1").await, from(&server, "2001:db8::2").await], [200, 429]);

    let server = limited(rates).await;
    assert_eq!([from(&server, "192.0.2.1").await, from(&server, "192.0.2.2").await], [200, 429], "nobody else is believed");
}
