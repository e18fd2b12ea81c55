//! What v0.6 clients send that our OpenAPI document does not tell: doubled slashes, the registry's routes, fields of features
//! that are left out, and what an earlier version let into the database.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    contract,
    setup::TestUser,
    support::{TestServer, on_each_database},
};

#[tokio::test]
async fn every_route_of_the_contract_is_there_with_single_and_doubled_slashes() {
    let server = TestServer::start().await;
    for (method, path) in contract::routes_so_far() {
        // One parameter there stands for two things.
        let is_upload = matches!(method.as_str(), "POST" | "PUT") || path.contains("session_id");
        let path = if is_upload { path.replace("/blobs/{ref}", "/blobs/uploads") } else { path };
        let parts = path.split('/').map(|part| if part.starts_with('{') { "nothing" } else { part });
        let path = parts.collect::<Vec<_>>().join("/");
        let method: Method = method.parse().unwrap();
        let body = (!matches!(method, Method::GET | Method::HEAD)).then(|| json!({}));
        let (status, answer) = server.send(method.clone(), &path, None, body.clone()).await;
        assert_ne!(answer["message"], "Not Found", "{method} {path}");
        assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        let (doubled, _) = server.send(method.clone(), &format!("/{path}"), None, body).await;
        assert_eq!(doubled, status, "{method} /{path}");
    }
}

#[tokio::test]
async fn fields_of_features_that_are_left_out_are_passed_over() {
    let server = TestServer::start().await;
    let signup = json!({
        "name": "Ann", "email": "ann@example.com", "i_agree": true, "plan": "free", "recaptcha_token": "03AFcWeA",
        "invite": null, "claim": null, "slug": null,
    });
    let (status, answer) = server.send(Method::POST, "/v0/auth/signup", None, Some(signup)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    let login = json!({ "email": "ann@example.com", "plan": "metered", "recaptcha_token": "03AFcWeA", "invite": null });
    let (status, answer) = server.send(Method::POST, "/v0/auth/login", None, Some(login)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    let ann = server.confirm("ann@example.com").await;
    let (organizations, _) = server.list("/v0/organizations", Some(&ann), "slug").await;
    let path = format!("/v0/organizations/{}", organizations[0]);
    for license in [json!(null), json!("eyJ0eXAi.eyJhdWQi.AAAA")] {
        let (status, answer) = server.patch(&path, &ann, json!({ "name": "Ann's", "license": license })).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["name"], "Ann's");
    }
}

#[tokio::test]
async fn numbers_and_dates_beyond_all_measure_are_refused_or_find_nothing() {
    on_each_database(|server| async move {
        let ann = server.sign_up("Ann").await;
        server.project(&ann, "Shop", "public").await;
        for query in [
            "projects?page=4294967295&per_page=255",
            "projects/shop/reports?start_time=9223372036854775807",
            "projects/shop/reports?start_time=-9223372036854775808&end_time=9223372036854775807",
            "projects/shop/reports?page=4294967295&per_page=255",
            "projects/shop/branches?name=%00&search=%00",
            "projects/shop/branches?search=%25%5C_%27",
            "projects/shop/jobs?page=4294967295&per_page=0",
        ] {
            let (status, answer) = server.get(&format!("/v0/{query}"), &ann).await;
            assert!(!status.is_server_error(), "{query}: {status} {answer}");
        }
        for time in ["+999999-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "-009999-01-01T00:00:00Z"] {
            let run = json!({ "branch": "main", "testbed": "host", "start_time": time, "end_time": time, "results": [] });
            let (status, answer) = server.post("/v0/projects/shop/reports", &ann, run).await;
            assert!(!status.is_server_error(), "{time}: {status} {answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn names_with_nul_from_before_they_were_refused_are_shown() {
    // PostgreSQL never took one.
    let server = TestServer::start().await;
    let ann: TestUser = server.sign_up("Ann").await;
    server.project(&ann, "Shop", "public").await;
    let benchmark = json!({ "name": "decode" });
    server.create("/v0/projects/shop/benchmarks", &ann, benchmark).await;
    for table in ["benchmark", "project", "organization"] {
        let sql = format!("UPDATE {table} SET name = 'a' || char(0) || 'b'");
        let mut tx = server.app.store.begin().await.unwrap();
        bencher_api::store::Queries::execute(&mut tx, sql, Vec::new()).await.unwrap();
        tx.commit().await.unwrap();
    }
    for path in ["/v0/projects/shop/benchmarks", "/v0/projects", "/v0/organizations"] {
        let (names, total) = server.list(path, Some(&ann), "name").await;
        assert_eq!((names, total), (vec!["a?b".to_owned()], 1), "{path}");
    }
}

#[tokio::test]
async fn what_is_deleted_while_it_is_changed_is_not_found() {
    on_each_database(|server| async move {
        let ann = server.sign_up("Ann").await;
        server.spec(&ann, "Small", false).await;
        let store = &server.app.store;
        // As a request that found the spec just before another one deleted it.
        let spec = store.spec(&"small".parse().unwrap()).await.unwrap().unwrap();
        store.delete_spec(spec.id).await.unwrap();
        let error = store.update_spec(spec.id, &Default::default(), server.app.clock.now()).await.unwrap_err();
        assert_eq!(bencher_api::error::ApiError::from(error).status(), StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn a_branch_is_shown_with_the_head_and_a_testbed_with_the_spec_that_is_asked_for() {
    on_each_database(|server| async move {
        let ann = server.sign_up("Ann").await;
        server.project(&ann, "Shop", "public").await;
        let (small, other) = (server.spec(&ann, "Small", false).await, server.spec(&ann, "Other", false).await);
        let branch = server.create("/v0/projects/shop/branches", &ann, json!({ "name": "main" })).await;
        server.create("/v0/projects/shop/testbeds", &ann, json!({ "name": "box", "spec": "small" })).await;
        let uuid = |value: &serde_json::Value| value["uuid"].as_str().unwrap().to_owned();

        let path = "/v0/projects/shop/branches/main?head=";
        assert_eq!(server.get(&format!("{path}{}", uuid(&branch["head"])), &ann).await, (StatusCode::OK, branch.clone()));
        assert_eq!(server.get(&format!("{path}{}", uuid(&branch)), &ann).await.0, StatusCode::NOT_FOUND);
        let path = "/v0/projects/shop/testbeds/box?spec=";
        let (status, testbed) = server.get(&format!("{path}{}", uuid(&small)), &ann).await;
        assert_eq!((status, &testbed["spec"]["slug"]), (StatusCode::OK, &json!("small")));
        assert_eq!(server.get(&format!("{path}{}", uuid(&other)), &ann).await.0, StatusCode::NOT_FOUND, "never had it");
        assert_eq!(server.get(&format!("{path}small"), &ann).await.0, StatusCode::BAD_REQUEST);
    })
    .await;
}
