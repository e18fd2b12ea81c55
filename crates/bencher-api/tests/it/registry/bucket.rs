//! The registry with its blobs in a bucket.

use bencher_types::oci::digest::Algorithm;
use object_store::ObjectStoreExt as _;
use reqwest::{Method, StatusCode};

use super::{Answer, bytes, keeper, sha256, tools::push_and_pull};
use crate::{
    bucket::Bucket,
    setup::TestUser,
    support::{Backend, TestServer},
};

/// A server whose blobs are in a bucket, and a user with the project `shop`.
async fn shop() -> Option<(Bucket, TestServer, TestUser)> {
    let bucket = Bucket::start().await?;
    let server =
        TestServer::start_with(Backend::Sqlite, |config| bucket.keep_blobs(config)).await.expect("SQLite is always there");
    let user = keeper(&server).await;
    Some((bucket, server, user))
}

fn files_in(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a text")).collect()
}

#[tokio::test]
async fn a_blob_of_many_parts_comes_back_whole_and_in_ranges() {
    let Some((_bucket, server, user)) = shop().await else { return };
    let content = bytes((11 << 20) + 17, 7);
    let upload = server.begin_upload("shop", &user).await;
    let (first, rest) = content.split_at(6 << 20);
    Answer::of(server.oci(Method::PATCH, &upload, &user).body(first.to_vec())).await.expect(202);
    let digest = sha256(&content);
    let finish = format!("{upload}{}digest={digest}", if upload.contains('?') { '&' } else { '?' });
    Answer::of(server.oci(Method::PUT, &finish, &user).body(rest.to_vec())).await.expect(201);
    assert_eq!(server.spooled(), 0, "nothing of the upload is left on the server");
    assert_eq!(files_in(&server.app.config.blob_folder()), ["uploads"], "the blob is in the bucket and not in the folder");

    assert!(server.blob("shop", &user, &digest).await.expect(200).body == content);
    for range in [0..10, (5 << 20) - 3..(5 << 20) + 3, (10 << 20) + 1..content.len()] {
        let request = server.oci(Method::GET, &format!("shop/blobs/{digest}"), &user);
        let answer = Answer::of(request.header("range", format!("bytes={}-{}", range.start, range.end - 1))).await.expect(206);
        assert!(answer.body == content[range.clone()], "{range:?}");
    }
    let sha512 = bencher_api::registry::hash::digest_of(Algorithm::Sha512, &content);
    let path = format!("shop/blobs/uploads/?digest={sha512}");
    Answer::of(server.oci(Method::POST, &path, &user).body(content.clone())).await.expect(201);
    assert!(server.blob("shop", &user, &sha512).await.expect(200).body == content);
    server.push_blob("shop", &user, b"").await;
    assert!(server.blob("shop", &user, &sha256(b"")).await.expect(200).body.is_empty());
}

#[tokio::test]
async fn an_upload_waits_for_a_bucket_that_is_away() {
    let Some((mut bucket, server, user)) = shop().await else { return };
    let content = bytes(1000, 3);
    let digest = sha256(&content);
    let upload = server.begin_upload("shop", &user).await;
    bucket.stop();
    let finish = format!("{upload}{}digest={digest}", if upload.contains('?') { '&' } else { '?' });
    Answer::of(server.oci(Method::PUT, &finish, &user).body(content.clone())).await.expect(503);
    assert_eq!(server.spooled(), 1, "what arrived is kept");
    bucket.start_again().await;
    Answer::of(server.oci(Method::PUT, &finish, &user)).await.expect(201);
    assert!(server.blob("shop", &user, &digest).await.expect(200).body == content);
    assert_eq!(server.spooled(), 0);
}

#[tokio::test]
async fn skopeo_and_buildah_push_an_image_to_a_bucket_and_pull_the_same_one() {
    let Some((_bucket, server, user)) = shop().await else { return };
    push_and_pull(&server, &user).await;
}

#[tokio::test]
async fn what_a_deleted_project_had_goes_from_the_bucket() {
    let Some((_bucket, server, user)) = shop().await else { return };
    let (manifest, _) = server.push_image("shop", &user, "v1", 5).await;
    let layer = manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
    let key = server.blob_key(&layer).await;
    assert!(server.app.blobs.head(&key).await.is_ok());
    assert_eq!(server.delete("/v0/projects/shop?hard=true", &user).await.0, StatusCode::NO_CONTENT);
    assert!(matches!(server.app.blobs.head(&key).await, Err(object_store::Error::NotFound { .. })));
}

#[tokio::test]
async fn two_servers_on_one_database_and_one_bucket_serve_each_others_images() {
    let Some(bucket) = Bucket::start().await else { return };
    let Some(one) = TestServer::start_with(Backend::Postgres, |config| bucket.keep_blobs(config)).await else { return };
    let user = keeper(&one).await;
    let (database, console) = (one.app.config.database.clone(), one.app.config.console.clone());
    let other = TestServer::start_with(Backend::Sqlite, |config| {
        (config.database, config.console) = (database, console);
        bucket.keep_blobs(config);
    });
    let other = other.await.unwrap();
    let content = bytes(2000, 9);
    let digest = one.push_blob("shop", &user, &content).await;
    assert!(other.blob("shop", &user, &digest).await.expect(200).body == content);

    // An upload is at the server that began it; elsewhere it has to be begun again.
    let more = bytes(2000, 10);
    let upload = one.begin_upload("shop", &user).await;
    let finish = format!("{upload}{}digest={}", if upload.contains('?') { '&' } else { '?' }, sha256(&more));
    Answer::of(other.oci(Method::PUT, &finish, &user).body(more.clone())).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    Answer::of(one.oci(Method::PUT, &finish, &user).body(more.clone())).await.expect(201);
    assert!(other.blob("shop", &user, &sha256(&more)).await.expect(200).body == more);
}
