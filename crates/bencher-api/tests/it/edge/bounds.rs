//! Clients that are slow, large or rude.

use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{PATIENCE, Program, address, from_json, raw, server, until_closed};
use crate::{setup::refused, support::TestServer};

/// The server still serves others.
async fn well(server: &TestServer) {
    assert_eq!(server.send(Method::GET, "/readyz", None, None).await.0, StatusCode::OK);
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let server = TestServer::start().await;
    let many: String = (0..200).map(|number| format!("x-{number}: a\r\n")).collect();
    let answer = raw(&server, format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(1 << 20));
    let answer = raw(&server, long.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    well(&server).await;
}

#[tokio::test]
async fn a_url_that_is_too_long_is_refused() {
    let server = TestServer::start().await;
    let path = |length: usize| format!("/v0/projects?search={}", "a".repeat(length));
    assert_eq!(server.send(Method::GET, &path(2000), None, None).await.0, StatusCode::OK);
    refused(server.send(Method::GET, &path(63_800), None, None).await, 414, "expected at most 63488");
    let answer = raw(&server, format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(1 << 20)).as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    well(&server).await;
}

async fn post(server: &TestServer, body: Vec<u8>) -> (StatusCode, Value) {
    let request = server.client.post(format!("{}/v0/auth/login", server.url)).header("content-type", "application/json");
    let answer = request.body(body).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test]
async fn bodies_that_are_deep_large_or_no_text_are_refused() {
    let server = TestServer::start().await;
    refused(post(&server, vec![b'['; 1 << 20]).await, 400, "");
    refused(post(&server, b"{\"a\":".repeat(100_000)).await, 400, "");
    refused(post(&server, b"{\"email\":\"\xff\xfe\"}".to_vec()).await, 400, "");
    refused(post(&server, vec![b' '; 5 << 20]).await, 413, "larger than");
    well(&server).await;
}

#[tokio::test]
async fn what_is_not_http_is_answered_with_an_error_or_not_at_all() {
    let server = TestServer::start().await;
    for garbage in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS handshake".as_slice(),
        b"\x00\xff\x00\xff\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"GET /%ff%fe HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        b"GET /v0/projects/%00 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        b"GET /v0/projects?search=%ff HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    ] {
        let answer = raw(&server, garbage).await;
        let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 200");
        assert!(is_refused, "{}: {answer}", String::from_utf8_lossy(garbage));
    }
    well(&server).await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::start().await;
    let requests = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = raw(&server, requests.as_bytes()).await;
    let (first, second) = (answer.find("200 OK").expect("the first"), answer.find("404 Not Found").expect("the second"));
    assert!(first < second, "{answer}");
}

/// A server whose clients have a second.
async fn hurried() -> TestServer {
    server(|config| config.server.request_timeout = Some(1)).await
}

#[tokio::test]
async fn a_head_that_drips_is_not_waited_for() {
    let server = hurried().await;
    let (mut reader, mut writer) = TcpStream::connect(address(&server)).await.unwrap().into_split();
    let dripping = tokio::spawn(async move {
        writer.write_all(b"GET / HTTP/1.1\r\n").await?;
        loop {
            writer.write_all(b"x-a: b\r\n").await?;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        #[expect(unreachable_code, reason = "names the type of the error")]
        Ok::<(), std::io::Error>(())
    });
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, reader.read_to_end(&mut answer)).await.expect("the server closes the connection").ok();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    dripping.abort();
    well(&server).await;
}

#[tokio::test]
async fn a_body_that_drips_is_not_waited_for() {
    let server = hurried().await;
    let (mut reader, mut writer) = TcpStream::connect(address(&server)).await.unwrap().into_split();
    let dripping = tokio::spawn(async move {
        let head = "POST /v0/auth/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n";
        writer.write_all(head.as_bytes()).await.ok();
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, reader.read_to_end(&mut answer)).await.expect("the server closes the connection").ok();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("did not arrive within 1 s"), "{answer}");
    dripping.abort();
    well(&server).await;
}

#[tokio::test]
async fn half_open_connections_do_not_shut_others_out() {
    let server = server(|config| {
        config.server.request_timeout = Some(1);
        config.server.max_connections = Some(32);
        config.server.trusted_proxies = from_json(serde_json::json!(["127.0.0.0/8"]));
    })
    .await;
    let mut attack = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(address(&server)).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        attack.push(stream);
    }
    // Waits until the first ones are given up, then the next.
    tokio::time::timeout(PATIENCE, well(&server)).await.expect("others get their turn");
    drop(attack);
}

#[tokio::test]
async fn one_address_gets_a_share_of_the_connections() {
    let server = server(|config| config.server.max_connections = Some(8)).await;
    let mut two = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address(&server)).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        two.push(stream);
    }
    let mut third = TcpStream::connect(address(&server)).await.unwrap();
    assert_eq!(until_closed(&mut third).await, "");
    drop(two);
    super::until("there is a seat again", async || {
        let answer = server.client.get(format!("{}/healthz", server.url)).send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn connections_that_ask_for_nothing_do_not_delay_the_end() {
    let mut program = Program::start(tempfile::tempdir().unwrap(), "info", |_, _| {});
    let address = program.address(Program::stderr).await;
    let _silent = TcpStream::connect(&address).await.unwrap();
    let mut idle = TcpStream::connect(&address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).await.unwrap();
    program.signal("-TERM");
    assert!(program.ended().await.success());
    assert!(!program.stderr().contains("cut off"), "{}", program.stderr());
}
