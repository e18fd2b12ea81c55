//! One blob store for all projects, and no way to find out what another project has in it.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::{Answer, OCI_MANIFEST, bytes, keeper, sha256};
use crate::support::on_each_database;

/// An answer without what is different each time.
async fn told(request: RequestBuilder, digest: &bencher_types::Digest) -> String {
    let answer = Answer::of(request).await;
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["date", "x-request-id", "docker-upload-uuid", "location"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    format!("{} {headers:?} {}", answer.status, String::from_utf8_lossy(&answer.body)).replace(&digest.to_string(), "DIGEST")
}

#[tokio::test]
async fn a_blob_of_another_project_is_answered_like_one_that_nobody_has() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let other = server.sign_up("Other").await;
        server.project(&other, "vault", "private").await;
        let (secret, nothing) = (bytes(1000, 1), bytes(1000, 2));
        server.push_blob("vault", &other, &secret).await;
        let (there, nowhere) = (sha256(&secret), sha256(&nothing));
        // One that the caller has itself, so that the repository is there.
        server.push_blob("shop", &user, b"own").await;

        for (what, method, path) in [
            ("looked up", Method::HEAD, "shop/blobs/DIGEST"),
            ("fetched", Method::GET, "shop/blobs/DIGEST"),
            ("fetched where it is", Method::GET, "vault/blobs/DIGEST"),
            ("deleted", Method::DELETE, "shop/blobs/DIGEST"),
            ("mounted", Method::POST, "shop/blobs/uploads/?mount=DIGEST&from=vault"),
            ("mounted from anywhere", Method::POST, "shop/blobs/uploads/?mount=DIGEST"),
            ("mounted from itself", Method::POST, "shop/blobs/uploads/?mount=DIGEST&from=shop"),
            ("said to be there", Method::POST, "shop/blobs/uploads/?digest=DIGEST"),
            ("asked for referrers", Method::GET, "shop/referrers/DIGEST"),
            ("asked for as a manifest", Method::GET, "shop/manifests/DIGEST"),
        ] {
            let mut answers = Vec::new();
            for digest in [&there, &nowhere] {
                let path = path.replace("DIGEST", &digest.to_string());
                answers.push(told(server.oci(method.clone(), &path, &user), digest).await);
            }
            assert_eq!(answers[0], answers[1], "{what}");
        }

        let mut answers = Vec::new();
        for digest in [&there, &nowhere] {
            let config = json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 1000 });
            let manifest = json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [] });
            let request = server.oci(Method::PUT, "shop/manifests/v1", &user).header("content-type", OCI_MANIFEST);
            answers.push(told(request.body(manifest.to_string()), digest).await);
        }
        assert_eq!(answers[0], answers[1], "referred to");

        // Who has the content gets the same answer whether it is new to the server or not.
        let mut answers = Vec::new();
        for (digest, content) in [(&there, &secret), (&nowhere, &nothing)] {
            let request = server.oci(Method::POST, &format!("shop/blobs/uploads/?digest={digest}"), &user);
            answers.push(told(request.body(content.clone()), digest).await);
        }
        assert_eq!(answers[0], answers[1], "pushed");
        assert!(answers[0].starts_with("201"), "{}", answers[0]);
    })
    .await;
}
