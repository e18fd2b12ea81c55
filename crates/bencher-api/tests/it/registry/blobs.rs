//! Blobs at rest: who sees them, which part, and how they go.

use reqwest::Method;

use super::{Answer, bytes, keeper, sha256, shop};
use crate::support::on_each_database;

#[tokio::test]
async fn a_part_of_a_blob_can_be_read() {
    let (server, user) = shop().await;
    let content = bytes(1_000_000, 1);
    let digest = server.push_blob("shop", &user, &content).await;
    let path = format!("shop/blobs/{digest}");
    let read = async |range: &str| Answer::of(server.oci(Method::GET, &path, &user).header("range", range)).await;

    for (range, part) in [("bytes=0-99", 0..100), ("bytes=500000-", 500_000..1_000_000), ("bytes=-7", 999_993..1_000_000)] {
        let answer = read(range).await.expect(206);
        assert_eq!(answer.header("content-range"), format!("bytes {}-{}/1000000", part.start, part.end - 1));
        assert_eq!(answer.header("content-length"), part.len().to_string());
        assert!(answer.body == content[part], "{range}");
    }
    let answer = read("bytes=1000000-").await.expect(416);
    assert_eq!(answer.header("content-range"), "bytes */1000000");
    read("bytes=5-4").await.expect(416);
    assert!(read("bytes=0-1,4-5").await.expect(200).body == content);

    let other = server.oci(Method::GET, &path, &user).header("range", "bytes=0-9").header("if-range", "\"sha256:other\"");
    assert!(Answer::of(other).await.expect(200).body == content);
}

#[tokio::test]
async fn a_look_up_tells_the_size_without_the_content() {
    let (server, user) = shop().await;
    let digest = server.push_blob("shop", &user, &bytes(12_345, 1)).await;
    let answer = Answer::of(server.oci(Method::HEAD, &format!("shop/blobs/{digest}"), &user)).await.expect(200);
    assert_eq!((answer.header("content-length"), answer.body.len()), ("12345", 0));
    assert_eq!(answer.header("docker-content-digest"), digest.to_string());
    assert_eq!(answer.header("accept-ranges"), "bytes");
    let unknown = sha256(b"unknown");
    Answer::of(server.oci(Method::HEAD, &format!("shop/blobs/{unknown}"), &user)).await.expect(404);
}

#[tokio::test]
async fn a_blob_is_unknown_to_every_repository_that_it_was_not_pushed_to() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        server.project(&user, "bank", "private").await;
        let digest = server.push_blob("bank", &user, b"secret").await;
        for repository in ["shop", "shop/bank", "bank/shop"] {
            server.blob(repository, &user, &digest).await.expect_error(404, "BLOB_UNKNOWN");
        }
    })
    .await;
}

#[tokio::test]
async fn a_blob_is_mounted_with_rights_on_its_source_only() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        server.project(&user, "bank", "private").await;
        let digest = server.push_blob("bank/core", &user, b"secret").await;
        let mount = async |user, from: &str| {
            let path = format!("shop/blobs/uploads/?mount={digest}&from={from}");
            Answer::of(server.oci(Method::POST, &path, user)).await
        };
        // No such blob there, no such repository, no repository at all: the client has to push, and is not told why.
        for from in ["bank", "bank/none", "Bank", "none"] {
            assert!(mount(&user, from).await.expect(202).header("location").contains("/uploads/"), "{from}");
        }
        let stranger = server.sign_up("Stranger").await;
        server.project(&stranger, "stall", "public").await;
        let path = format!("stall/blobs/uploads/?mount={digest}&from=bank/core");
        Answer::of(server.oci(Method::POST, &path, &stranger)).await.expect(202);
        server.blob("stall", &stranger, &digest).await.expect_error(404, "BLOB_UNKNOWN");

        let answer = mount(&user, "bank/core").await.expect(201);
        assert_eq!(answer.header("location"), format!("/v2/shop/blobs/{digest}"));
        assert_eq!(server.blob("shop", &user, &digest).await.expect(200).body, b"secret");
    })
    .await;
}

#[tokio::test]
async fn a_blob_is_deleted_from_its_repository_unless_a_manifest_needs_it() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let (manifest, digest) = server.push_image("shop", &user, "v1", 1).await;
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        let path = format!("shop/blobs/{layer}");
        Answer::of(server.oci(Method::DELETE, &path, &user)).await.expect_error(405, "UNSUPPORTED");
        Answer::of(server.oci(Method::GET, &path, &user)).await.expect(200);

        Answer::of(server.oci(Method::DELETE, &format!("shop/manifests/{digest}"), &user)).await.expect(202);
        Answer::of(server.oci(Method::DELETE, &path, &user)).await.expect(202);
        Answer::of(server.oci(Method::DELETE, &path, &user)).await.expect_error(404, "BLOB_UNKNOWN");
    })
    .await;
}

#[tokio::test]
async fn a_blob_whose_file_is_lost_or_damaged_comes_back_with_the_next_push() {
    let (server, user) = shop().await;
    let content = bytes(1000, 1);
    let digest = server.push_blob("shop", &user, &content).await;
    for damage in [None, Some("short")] {
        let file = server.app.config.blob_folder().join(server.blob_key(&digest).await.as_ref());
        match damage {
            None => std::fs::remove_file(&file).unwrap(),
            Some(text) => std::fs::write(&file, text).unwrap(),
        }
        Answer::of(server.oci(Method::HEAD, &format!("shop/blobs/{digest}"), &user)).await.expect(404);
        server.push_blob("shop", &user, &content).await;
        assert_eq!(server.blob("shop", &user, &digest).await.expect(200).body, content);
    }
}
