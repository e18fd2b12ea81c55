use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const SHORT: Duration = Duration::from_millis(20);
/// Only a test that fails waits for it.
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_client_that_takes_nothing_is_given_up() {
    let (server, _client) = tokio::io::duplex(16);
    let error = Patient::new(server, Bounds { send: SHORT, idle: LONG }, ()).write_all(&[0; 64]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_client_that_says_nothing_is_given_up() {
    let (server, _client) = tokio::io::duplex(16);
    let error = Patient::new(server, Bounds { send: LONG, idle: SHORT }, ()).read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn what_passes_in_one_direction_keeps_the_other_open() {
    let (server, mut client) = tokio::io::duplex(16);
    let mut server = Patient::new(server, Bounds { send: LONG, idle: LONG }, ());
    let before = server.idle.deadline();
    server.write_u8(1).await.unwrap();
    assert!(server.idle.deadline() > before, "what was sent counts");
    client.write_u8(2).await.unwrap();
    let before = server.idle.deadline();
    assert_eq!(server.read_u8().await.unwrap(), 2);
    assert!(server.idle.deadline() > before, "what was received counts");
}
