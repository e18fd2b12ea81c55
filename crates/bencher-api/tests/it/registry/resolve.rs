//! What the rest of the server asks of the registry: a name's digest, and a runner's token.

use std::time::Duration;

use bencher_api::registry::{resolve, runner_pull_token};
use bencher_types::{ImageRef, ProjectUuid, RunnerUuid};
use reqwest::Method;

use super::{Answer, OCI_MANIFEST, keeper, sha256};
use crate::{
    setup::TestUser,
    support::{TestServer, on_each_database},
};

#[tokio::test]
async fn a_name_becomes_the_digest_that_it_stands_for() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let (_, root) = server.push_image("shop", &user, "latest", 1).await;
        let (manifest, nested) = server.push_image("shop/a/b", &user, "v1", 2).await;
        let (project, _) = project(&server, "shop").await;
        let find = async |text: &str| {
            let image: ImageRef = text.parse().unwrap();
            resolve(&server.app, project, &image).await.unwrap()
        };
        assert_eq!(find("shop").await.unwrap().digest, root);
        let found = find("localhost:6610/shop/a/b:v1").await.unwrap();
        assert_eq!((found.digest, &*found.media_type), (nested.clone(), OCI_MANIFEST));
        assert_eq!(found.size, manifest.to_string().len() as u64);
        assert_eq!(find(&format!("shop/a/b@{nested}")).await.unwrap().digest, nested);
        for text in ["shop:v1", "shop/a/b", "shop/a:v1", &format!("shop@{nested}"), &format!("shop@{}", sha256(b"none"))] {
            assert_eq!(find(text).await, None, "{text}");
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
        let (_, bank) = project(&server, "bank").await;
        let (_, shop) = project(&server, "shop").await;
        let created = server.create("/v0/runners", &admin, serde_json::json!({ "name": "Metal" })).await;
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

        server.patch(&format!("/v0/runners/{runner}"), &admin, serde_json::json!({ "archived": true })).await;
        get(format!("{bank}/manifests/{digest}"), &right).await.expect_error(401, "UNAUTHORIZED");
    })
    .await;
}

async fn project(server: &TestServer, slug: &str) -> (i64, ProjectUuid) {
    let row = server.app.store.project(&slug.parse().unwrap(), None).await.unwrap().expect("a project");
    (row.id, row.uuid.0)
}
