//! How much the registry holds for whom.

use bencher_api::config::registry::Quota;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Answer, bytes, image, keeper};
use crate::{
    setup::TestUser,
    support::{Backend, TestServer},
};

async fn server(backend: Backend, project: Option<u64>, organization: Option<u64>) -> Option<TestServer> {
    TestServer::start_with(backend, |config| {
        let registry = config.plus.get_or_insert_default().registry.get_or_insert_default();
        registry.quota = Some(Quota { project, organization });
        registry.garbage_collection = Some(bencher_api::config::registry::GarbageCollection {
            enabled: Some(false),
            interval: None,
            grace_period: Some(0),
        });
        registry.max_image_size = Some(2500);
    })
    .await
}

async fn usage(server: &TestServer, user: &TestUser, of: &str) -> (u64, u64) {
    let (status, usage) = server.get(&format!("/v0/{of}/registry"), user).await;
    assert_eq!(status, StatusCode::OK, "{usage}");
    (usage["blobs"].as_u64().unwrap(), usage["bytes"].as_u64().unwrap())
}

async fn push(server: &TestServer, user: &TestUser, repository: &str, content: &[u8]) -> Answer {
    let path = format!("{repository}/blobs/uploads/?digest={}", super::sha256(content));
    Answer::of(server.oci(Method::POST, &path, user).body(content.to_vec())).await
}

#[tokio::test]
async fn a_project_holds_each_blob_once_and_no_more_than_its_quota() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(server) = server(backend, Some(3000), None).await else { continue };
        let user = keeper(&server).await;
        let admin = server.confirm("admin@example.com").await;
        assert_eq!(usage(&server, &user, "projects/shop").await, (0, 0));
        let (one, two, three) = (bytes(1000, 1), bytes(1500, 2), bytes(600, 3));
        for repository in ["shop", "shop/tools", "shop"] {
            push(&server, &user, repository, &one).await.expect(201);
        }
        assert_eq!(usage(&server, &user, "projects/shop").await, (1, 1000));
        push(&server, &user, "shop", &two).await.expect(201);

        // Said in advance, and found out.
        let refused = push(&server, &user, "shop", &three).await.expect_error(403, "DENIED");
        assert_eq!(refused.json()["errors"][0]["detail"], json!({ "quota": 3000, "needed": 3100 }));
        let message = refused.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("project shop") && message.contains("3000") && message.contains("3100"), "{message}");
        let upload = server.begin_upload("shop", &user).await;
        let body = reqwest::Body::wrap_stream(futures::stream::iter([Ok::<_, std::io::Error>(three.clone())]));
        Answer::of(server.oci(Method::PATCH, &upload, &user).body(body)).await.expect_error(403, "DENIED");
        assert_eq!(server.spooled(), 0, "nothing is left of what did not fit");
        assert_eq!(server.stored().await.len(), 2);
        assert_eq!(usage(&server, &user, "projects/shop").await, (2, 2500));

        // What it has already takes no more room.
        push(&server, &user, "shop/more", &bytes(500, 4)).await.expect(201);
        let mount = format!("shop/more/blobs/uploads/?mount={}&from=shop", super::sha256(&one));
        Answer::of(server.oci(Method::POST, &mount, &user)).await.expect(201);
        push(&server, &user, "shop/tools", b"1").await.expect_error(403, "DENIED");

        let path = "/v0/projects/shop/registry/quota";
        let (status, _) = server.send(Method::PUT, path, Some(&user.token), Some(json!({ "bytes": 5000 }))).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        let (status, set) = server.send(Method::PUT, path, Some(&admin.token), Some(json!({ "bytes": 5000 }))).await;
        assert_eq!((status, &set["quota"]), (StatusCode::OK, &Value::from(5000)));
        push(&server, &user, "shop", &three).await.expect(201);
        let (_, set) = server.send(Method::PUT, path, Some(&admin.token), Some(json!({}))).await;
        assert_eq!(set["quota"], 3000, "what the configuration says");
        push(&server, &user, "shop", b"more").await.expect_error(403, "DENIED");

        // What was not referred to goes, and makes room.
        server.end_leases().await;
        server.collect().await;
        assert_eq!(usage(&server, &user, "projects/shop").await, (0, 0));
        push(&server, &user, "shop", &three).await.expect(201);
    }
}

#[tokio::test]
async fn an_organization_holds_what_its_projects_hold_each_blob_once() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(server) = server(backend, None, Some(2000)).await else { continue };
        let user = keeper(&server).await;
        server.project(&user, "bakery", "public").await;
        let (organizations, _) = server.list("/v0/organizations?sort=created", Some(&user), "slug").await;
        let organization = format!("organizations/{}", organizations[0]);
        push(&server, &user, "shop", &bytes(900, 1)).await.expect(201);
        push(&server, &user, "bakery", &bytes(900, 1)).await.expect(201);
        assert_eq!(usage(&server, &user, &organization).await, (1, 900));
        // The projects for themselves have 2200 bytes with this, and 2700 and 3200 with the next two; together 1300, and 1800.
        push(&server, &user, "bakery", &bytes(400, 2)).await.expect(201);
        let upload = server.begin_upload("shop", &user).await;
        let path = format!("{upload}?digest={}", super::sha256(&bytes(500, 3)));
        let body = reqwest::Body::wrap_stream(futures::stream::iter([Ok::<_, std::io::Error>(bytes(500, 3))]));
        Answer::of(server.oci(Method::PUT, &path, &user).body(body)).await.expect(201);
        let mount = format!("bakery/blobs/uploads/?mount={}&from=shop", super::sha256(&bytes(500, 3)));
        Answer::of(server.oci(Method::POST, &mount, &user)).await.expect(201);
        assert_eq!(usage(&server, &user, &organization).await, (3, 1800));

        let refused = push(&server, &user, "bakery", &bytes(300, 4)).await.expect_error(403, "DENIED");
        assert!(String::from_utf8_lossy(&refused.body).contains("organization of the project bakery"));
        assert_eq!(refused.json()["errors"][0]["detail"], json!({ "quota": 2000, "needed": 2100 }));
        let mount = format!("bakery/x/blobs/uploads/?mount={}&from=shop", super::sha256(&bytes(900, 1)));
        Answer::of(server.oci(Method::POST, &mount, &user)).await.expect(201);
        assert_eq!(server.delete("/v0/projects/bakery?hard=true", &user).await.0, StatusCode::NO_CONTENT);
        assert_eq!(usage(&server, &user, &organization).await, (2, 1400));
    }
}

#[tokio::test]
async fn an_image_that_is_too_large_is_refused_with_both_sizes() {
    let server = generous().await;
    let user = keeper(&server).await;
    let (config, layers) = (b"{}".to_vec(), [bytes(1500, 1), bytes(1500, 2)]);
    for content in layers.iter().chain([&config]) {
        push(&server, &user, "shop", content).await.expect(201);
    }
    let manifest = image(&config, &[&layers[0], &layers[1]]);
    let refused = server.put_manifest("shop", &user, "v1", &manifest).await.expect_error(413, "SIZE_INVALID");
    assert_eq!(refused.json()["errors"][0]["detail"], json!({ "size": 3002, "limit": 2500 }));
    server.put_manifest("shop", &user, "v1", &image(&config, &[&layers[0]])).await.expect(201);
}

async fn generous() -> TestServer {
    server(Backend::Sqlite, None, None).await.expect("SQLite is always there")
}
