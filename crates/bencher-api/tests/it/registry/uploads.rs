//! Ways in which a blob arrives, and in which it does not.

use bencher_api::registry::hash::digest_of;
use bencher_types::oci::digest::Algorithm;
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Answer, bytes, keeper, sha256, shop};
use crate::{
    setup::TestUser,
    support::{Backend, TestServer, on_each_database},
};

#[tokio::test]
async fn a_blob_arrives_whole_in_one_request_or_two() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let content = bytes(100_000, 1);
        let digest = server.push_blob("shop", &user, &content).await;
        assert_eq!(server.blob("shop", &user, &digest).await.expect(200).body, content);

        let upload = server.begin_upload("shop/web", &user).await;
        let request = server.oci(Method::PUT, &format!("{upload}?digest={digest}"), &user).body(content.clone());
        let answer = Answer::of(request).await.expect(201);
        assert_eq!(answer.header("location"), format!("/v2/shop/web/blobs/{digest}"));
        assert_eq!(server.blob("shop/web", &user, &digest).await.expect(200).body, content);

        let other = bytes(10, 2);
        let path = format!("shop/blobs/uploads/?digest={}", sha256(&other));
        Answer::of(server.oci(Method::PUT, &path, &user).body(other.clone())).await.expect(201);
        assert_eq!(server.blob("shop", &user, &sha256(&other)).await.expect(200).body, other);
        assert_eq!(server.spooled(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_blob_arrives_in_chunks() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let content = bytes(3_000_000, 1);
        let upload = server.begin_upload("shop", &user).await;
        let mut offset = 0;
        for chunk in content.chunks(1_100_000) {
            let end = offset + chunk.len();
            let request = server.oci(Method::PATCH, &upload, &user).header("content-range", format!("{offset}-{}", end - 1));
            let answer = Answer::of(request.body(chunk.to_vec())).await.expect(202);
            assert_eq!(answer.header("range"), format!("0-{}", end - 1));
            assert_eq!(answer.header("location"), upload);
            offset = end;
        }
        let digest = sha256(&content);
        Answer::of(server.oci(Method::PUT, &format!("{upload}?digest={digest}"), &user)).await.expect(201);
        assert_eq!(server.blob("shop", &user, &digest).await.expect(200).body, content);
        // The upload is over.
        Answer::of(server.oci(Method::GET, &upload, &user)).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    })
    .await;
}

#[tokio::test]
async fn a_chunk_that_is_not_the_next_is_refused_and_told_where_to_go_on() {
    let (server, user) = shop().await;
    let upload = server.begin_upload("shop", &user).await;
    let send = async |range: &str, len: usize| {
        Answer::of(server.oci(Method::PATCH, &upload, &user).header("content-range", range).body(bytes(len, 1))).await
    };
    send("0-9", 10).await.expect(202);
    for (range, len) in [("0-9", 10), ("20-29", 10), ("5-14", 10), ("10-19", 9), ("19-10", 10), ("ten", 10)] {
        let answer = send(range, len).await.expect_error(416, "BLOB_UPLOAD_INVALID");
        assert_eq!((answer.header("range"), answer.header("location")), ("0-9", &*upload), "{range}");
    }
    send("10-19", 10).await.expect(202);
}

#[tokio::test]
async fn an_upload_goes_on_after_its_connection_broke() {
    let (server, user) = shop().await;
    let content = bytes(2_500_000, 1);
    let upload = server.begin_upload("shop", &user).await;
    let sent = 1_700_000;
    drop(cut(&server, &user, &upload, &content, sent).await);

    let offset = until_spooled(&server, &user, &upload, sent).await;
    let rest = server.oci(Method::PATCH, &upload, &user).header("content-range", format!("{offset}-{}", content.len() - 1));
    Answer::of(rest.body(content[offset..].to_vec())).await.expect(202);
    let digest = sha256(&content);
    Answer::of(server.oci(Method::PUT, &format!("{upload}?digest={digest}"), &user)).await.expect(201);
    assert_eq!(server.blob("shop", &user, &digest).await.expect(200).body, content);
}

#[tokio::test]
async fn a_later_request_takes_an_upload_over_from_a_connection_that_hangs() {
    let (server, user) = shop().await;
    let content = bytes(2_500_000, 1);
    let upload = server.begin_upload("shop", &user).await;
    let sent = 1_700_000;
    let mut hanging = cut(&server, &user, &upload, &content, sent).await;
    // Once some of it is written, the rest is waited for.
    until_spooled(&server, &user, &upload, 1).await;

    let again = async |start: usize| {
        let request = server.oci(Method::PATCH, &upload, &user).header("content-range", format!("{start}-{}", content.len() - 1));
        Answer::of(request.body(content[start..].to_vec())).await
    };
    // What the hanging request sent is kept; the client is told where to go on.
    let kept = end_of(again(0).await.expect_error(416, "BLOB_UPLOAD_INVALID").header("range"));
    assert!((1..=sent).contains(&kept), "{kept}");
    again(kept).await.expect(202);
    let mut answer = Vec::new();
    hanging.read_to_end(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 409"), "{}", String::from_utf8_lossy(&answer));
    Answer::of(server.oci(Method::PUT, &format!("{upload}?digest={}", sha256(&content)), &user)).await.expect(201);
}

#[tokio::test]
async fn an_upload_goes_on_after_the_server_restarted() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let content = bytes(2_000_000, 1);
        let upload = server.begin_upload("shop", &user).await;
        Answer::of(server.oci(Method::PATCH, &upload, &user).body(content[..1_500_000].to_vec())).await.expect(202);

        let server = server.restart().await;
        let answer = Answer::of(server.oci(Method::GET, &upload, &user)).await.expect(204);
        assert_eq!(answer.header("range"), "0-1499999");
        Answer::of(server.oci(Method::PATCH, &upload, &user).body(content[1_500_000..].to_vec())).await.expect(202);
        let digest = sha256(&content);
        Answer::of(server.oci(Method::PUT, &format!("{upload}?digest={digest}"), &user)).await.expect(201);
        assert_eq!(server.blob("shop", &user, &digest).await.expect(200).body, content);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_digest_leaves_nothing() {
    let (server, user) = shop().await;
    let (content, other) = (bytes(1000, 1), sha256(b"something else"));
    let upload = server.begin_upload("shop", &user).await;
    Answer::of(server.oci(Method::PATCH, &upload, &user).body(content.clone())).await.expect(202);
    let answer = Answer::of(server.oci(Method::PUT, &format!("{upload}?digest={other}"), &user)).await;
    let answer = answer.expect_error(400, "DIGEST_INVALID");
    assert_eq!(answer.json()["errors"][0]["detail"]["found"], sha256(&content).to_string());

    Answer::of(server.oci(Method::GET, &upload, &user)).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    for digest in [other.clone(), sha256(&content)] {
        server.blob("shop", &user, &digest).await.expect_error(404, "BLOB_UNKNOWN");
    }
    let path = format!("shop/blobs/uploads/?digest={other}");
    Answer::of(server.oci(Method::POST, &path, &user).body(content)).await.expect_error(400, "DIGEST_INVALID");
    assert_eq!(server.spooled(), 0);
}

#[tokio::test]
async fn digests_may_be_sha512_and_blobs_may_be_empty() {
    let (server, user) = shop().await;
    for content in [Vec::new(), bytes(70_000, 1)] {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = digest_of(algorithm, &content);
            let upload = server.begin_upload("shop", &user).await;
            // The algorithm is known only at the end.
            Answer::of(server.oci(Method::PATCH, &upload, &user).body(content.clone())).await.expect(202);
            Answer::of(server.oci(Method::PUT, &format!("{upload}?digest={digest}"), &user)).await.expect(201);
            assert_eq!(server.blob("shop", &user, &digest).await.expect(200).body, content);
        }
    }
}

#[tokio::test]
async fn a_canceled_upload_is_gone() {
    let (server, user) = shop().await;
    let upload = server.begin_upload("shop", &user).await;
    Answer::of(server.oci(Method::PATCH, &upload, &user).body("part")).await.expect(202);
    Answer::of(server.oci(Method::DELETE, &upload, &user)).await.expect(204);
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        Answer::of(server.oci(method, &upload, &user)).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
    assert_eq!(server.spooled(), 0);
}

#[tokio::test]
async fn an_upload_is_its_users_and_its_repositorys_alone() {
    let (server, user) = shop().await;
    let upload = server.begin_upload("shop/web", &user).await;
    let id = upload.rsplit('/').next().unwrap();
    let elsewhere = format!("shop/other/blobs/uploads/{id}");
    Answer::of(server.oci(Method::GET, &elsewhere, &user)).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");

    // An admin may push here too, but did not begin this.
    let admin = server.confirm("admin@example.com").await;
    Answer::of(server.oci(Method::PATCH, &upload, &admin).body("mine")).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");

    // The same user with a new session goes on.
    let again = server.confirm("keeper@example.com").await;
    Answer::of(server.oci(Method::PATCH, &upload, &again).body("mine")).await.expect(202);
}

#[tokio::test]
async fn a_blob_over_the_limit_is_refused_with_what_to_do() {
    let server = TestServer::start_with(Backend::Sqlite, |config| {
        let registry = config.plus.as_mut().and_then(|plus| plus.registry.as_mut()).unwrap();
        registry.max_body_size = Some(100_000);
    });
    let server = server.await.unwrap();
    let user = keeper(&server).await;
    let content = bytes(100_001, 1);

    let path = format!("shop/blobs/uploads/?digest={}", sha256(&content));
    let answer = Answer::of(server.oci(Method::POST, &path, &user).body(content.clone())).await;
    let answer = answer.expect_error(413, "SIZE_INVALID");
    assert!(answer.json()["errors"][0]["message"].as_str().unwrap().contains("max_body_size"));

    // A sender that does not say how much will come.
    let upload = server.begin_upload("shop", &user).await;
    let parts: Vec<_> = content.chunks(9_999).map(|part| Ok::<_, std::io::Error>(part.to_vec())).collect();
    let body = reqwest::Body::wrap_stream(futures::stream::iter(parts));
    Answer::of(server.oci(Method::PATCH, &upload, &user).body(body)).await.expect_error(413, "SIZE_INVALID");
    assert_eq!(server.spooled(), 0);

    // As large as can be is fine.
    let largest = &content[..100_000];
    let upload = server.begin_upload("shop", &user).await;
    Answer::of(server.oci(Method::PATCH, &upload, &user).body(largest[..60_000].to_vec())).await.expect(202);
    Answer::of(server.oci(Method::PATCH, &upload, &user).body(largest[60_000..].to_vec())).await.expect(202);
    Answer::of(server.oci(Method::PUT, &format!("{upload}?digest={}", sha256(largest)), &user)).await.expect(201);
}

#[tokio::test]
async fn two_may_push_the_same_blob_at_once() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let content = bytes(2_000_000, 1);
        let pushes = (0..8).map(|n| {
            let (server, user, content) = (&server, &user, &content);
            async move { server.push_blob(if n % 2 == 0 { "shop" } else { "shop/web" }, user, content).await }
        });
        let digests = futures::future::join_all(pushes).await;
        for repository in ["shop", "shop/web"] {
            assert_eq!(server.blob(repository, &user, &digests[0]).await.expect(200).body, content);
        }
        assert_eq!(server.spooled(), 0);
    })
    .await;
}

#[tokio::test]
async fn uploads_that_rested_too_long_are_removed() {
    on_each_database(async |server| {
        let user = keeper(&server).await;
        let upload = server.begin_upload("shop", &user).await;
        Answer::of(server.oci(Method::PATCH, &upload, &user).body("part")).await.expect(202);
        assert_eq!(bencher_api::registry::upload::remove_expired(&server.app).await.unwrap(), 0);

        // A file without a row is what a project leaves that is deleted in the middle of a push.
        let orphan = server.app.config.blob_folder().join("uploads").join(uuid::Uuid::new_v4().to_string());
        std::fs::write(&orphan, "orphan").unwrap();
        assert_eq!(bencher_api::registry::upload::remove_expired(&server.app).await.unwrap(), 1);
        assert!(!orphan.exists());

        let mut config = server.app.config.clone();
        config.plus.as_mut().and_then(|plus| plus.registry.as_mut()).unwrap().upload_timeout = Some(0);
        let impatient = bencher_api::app::App::open(config, bencher_api::clock::Clock::System).await.unwrap();
        assert_eq!(bencher_api::registry::upload::remove_expired(&impatient).await.unwrap(), 1);
        Answer::of(server.oci(Method::PATCH, &upload, &user).body("rest")).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    })
    .await;
}

/// Sends the head of a chunk that is to hold all of `content`, and only the first `sent` bytes of it.
async fn cut(server: &TestServer, user: &TestUser, upload: &str, content: &[u8], sent: usize) -> TcpStream {
    let address = server.url.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        user.token,
        content.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&content[..sent]).await.unwrap();
    connection.flush().await.unwrap();
    connection
}

/// Waits until the server has written at least this much of what arrived, and returns how much that is.
pub(super) async fn until_spooled(server: &TestServer, user: &TestUser, upload: &str, least: usize) -> usize {
    let answer = async {
        loop {
            let answer = Answer::of(server.oci(Method::GET, upload, user)).await.expect(204);
            let offset = end_of(answer.header("range"));
            // An empty upload looks as one of a single byte.
            if offset >= least.max(2) {
                return offset;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), answer).await.expect("what was sent before the cut is kept")
}

/// How many bytes a `Range` header says there are.
fn end_of(range: &str) -> usize {
    range.strip_prefix("0-").unwrap().parse::<usize>().unwrap() + 1
}
