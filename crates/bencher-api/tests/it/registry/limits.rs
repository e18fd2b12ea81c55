//! What nobody may have too much of.

use bencher_api::config::rate_limiting::{OciBandwidth, RateLimiting};
use reqwest::Method;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::{Answer, bytes, keeper, sha256};
use crate::{
    setup::TestUser,
    support::{Backend, TestServer},
};

#[tokio::test]
async fn so_many_uploads_are_sent_at_once_and_no_more() {
    let server = TestServer::start_with(Backend::Sqlite, |config| {
        config.plus.get_or_insert_default().registry.get_or_insert_default().max_uploads = Some(2);
    });
    let server = server.await.expect("SQLite is always there");
    let user = keeper(&server).await;
    let mut sending = Vec::new();
    for _ in 0..2 {
        let upload = server.begin_upload("shop", &user).await;
        sending.push((hanging(&server, &user, &upload).await, upload));
    }
    let third = server.begin_upload("shop", &user).await;
    let answer = Answer::of(server.oci(Method::PATCH, &third, &user).body("more")).await;
    let answer = answer.expect_error(429, "TOOMANYREQUESTS");
    assert_eq!(answer.header("retry-after"), "5");
    let path = format!("shop/blobs/uploads/?digest={}", sha256(b"more"));
    Answer::of(server.oci(Method::POST, &path, &user).body("more")).await.expect_error(429, "TOOMANYREQUESTS");

    // Others are not concerned, and looking is not sending.
    let admin = server.confirm("admin@example.com").await;
    server.push_blob("shop", &admin, b"another's").await;
    Answer::of(server.oci(Method::GET, &third, &user)).await.expect(204);

    let (stream, upload) = sending.pop().expect("two");
    drop(stream);
    // What took its place has ended when this is answered.
    Answer::of(server.oci(Method::DELETE, &upload, &user)).await.expect(204);
    let freed = async {
        loop {
            let answer = Answer::of(server.oci(Method::PATCH, &third, &user).body("more")).await;
            if answer.status == 202 {
                return;
            }
            assert_eq!(answer.status, 429);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), freed).await.expect("there is room again");
}

/// A connection that has begun to send to an upload, and does not go on.
async fn hanging(server: &TestServer, user: &TestUser, upload: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).await.expect("the server listens");
    let head =
        format!("PATCH {upload} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: 4000000\r\n\r\n", user.token);
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    stream.write_all(&bytes(2_000_000, 1)).await.expect("the server reads");
    super::uploads::until_spooled(server, user, upload, 1).await;
    stream
}

#[tokio::test]
async fn what_an_organization_moves_in_a_day_may_be_bounded() {
    let server = TestServer::start_with(Backend::Sqlite, |config| {
        let oci_bandwidth = Some(OciBandwidth { free: Some(1_000_000), ..OciBandwidth::default() });
        config.plus.get_or_insert_default().rate_limiting = Some(RateLimiting { oci_bandwidth, ..RateLimiting::default() });
    });
    let server = server.await.expect("SQLite is always there");
    let user = keeper(&server).await;
    let digest = server.push_blob("shop", &user, &bytes(600_000, 1)).await;
    // More than is left, but it had begun.
    server.blob("shop", &user, &digest).await.expect(200);
    let answer = server.blob("shop", &user, &digest).await.expect_error(429, "TOOMANYREQUESTS");
    let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..86_400).contains(&seconds), "{seconds}");
    let path = format!("shop/blobs/uploads/?digest={}", sha256(b"more"));
    Answer::of(server.oci(Method::POST, &path, &user).body("more")).await.expect_error(429, "TOOMANYREQUESTS");
    // A look-up moves nothing, and another organization has its own.
    Answer::of(server.oci(Method::HEAD, &format!("shop/blobs/{digest}"), &user)).await.expect(200);
    let stranger = server.sign_up("Stranger").await;
    server.project(&stranger, "stall", "public").await;
    server.push_blob("stall", &stranger, b"small").await;
}

#[tokio::test]
async fn what_a_user_moves_in_a_day_may_be_bounded_whichever_token_it_shows() {
    let server = TestServer::start_with(Backend::Sqlite, |config| {
        let oci_bandwidth = Some(OciBandwidth { user: Some(1_000_000), ..OciBandwidth::default() });
        config.plus.get_or_insert_default().rate_limiting = Some(RateLimiting { oci_bandwidth, ..RateLimiting::default() });
    });
    let server = server.await.expect("SQLite is always there");
    let user = keeper(&server).await;
    let digest = server.push_blob("shop", &user, &bytes(600_000, 1)).await;
    server.blob("shop", &user, &digest).await.expect(200);
    let refused = server.blob("shop", &user, &digest).await.expect_error(429, "TOOMANYREQUESTS");
    assert!(refused.json()["errors"][0]["message"].as_str().is_some_and(|message| message.starts_with("you have moved")));
    let key = server.key(&user).await;
    for scope in ["repository:shop:pull", "repository:shop:pull,push"] {
        let token = server.token(Some(("anybody", &*key)), &[scope]).await;
        let path = format!("shop/blobs/{digest}");
        Answer::of(server.v2(Method::GET, &path).bearer_auth(token)).await.expect_error(429, "TOOMANYREQUESTS");
    }
    // In another project too; others may go on.
    server.project(&user, "bakery", "public").await;
    let path = format!("bakery/blobs/uploads/?digest={}", sha256(b"more"));
    Answer::of(server.oci(Method::POST, &path, &user).body("more")).await.expect_error(429, "TOOMANYREQUESTS");
    let stranger = server.sign_up("Stranger").await;
    server.blob("shop", &stranger, &digest).await.expect(200);
}
