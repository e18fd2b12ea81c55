use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{Conduct, Cut, Fate, Line};

/// Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A line, a connection over it, and its other end.
async fn connected(conduct: Conduct) -> (Line, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let line = Line::to(listener.local_addr().unwrap()).await.unwrap();
    line.conduct(conduct);
    let client = TcpStream::connect(line.address()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (line, client, server)
}

async fn read(stream: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut buffer = vec![0; bytes];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut buffer)).await.expect("in time").unwrap();
    buffer
}

/// What is still read, and whether the end was a good one.
async fn rest(stream: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut buffer = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut buffer)).await.expect("an end in time");
    (buffer, end.is_ok())
}

#[tokio::test]
async fn a_good_line_carries_both_directions_and_each_end_of_them() {
    let (line, mut client, mut server) = connected(Conduct::Good).await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut server).await, (b"question".to_vec(), true));
    server.write_all(b"answer").await.unwrap();
    drop(server);
    assert_eq!(rest(&mut client).await, (b"answer".to_vec(), true));
    assert_eq!((line.accepted(), line.cuts()), (1, 0));
}

#[tokio::test]
async fn a_connection_is_cut_after_so_many_bytes_of_both_directions() {
    let fate = Fate { cut_after: Some(10), cut: Cut::End, ..Fate::default() };
    let (line, mut client, mut server) = connected(Conduct::All(fate)).await;
    client.write_all(b"1234567").await.unwrap();
    assert_eq!(read(&mut server, 7).await, b"1234567");
    server.write_all(b"abcdefg").await.unwrap();
    assert_eq!(rest(&mut client).await, (b"abc".to_vec(), true));
    assert_eq!(rest(&mut server).await.0, b"");
    assert_eq!(line.cuts(), 1);
}

#[tokio::test]
async fn a_cut_ends_what_is_open_and_not_what_comes_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let line = Line::to(listener.local_addr().unwrap()).await.unwrap();
    let mut client = TcpStream::connect(line.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    line.cut();
    assert!(!rest(&mut client).await.1 && !rest(&mut server).await.1, "both ends see a reset");
    let mut client = TcpStream::connect(line.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"again").await.unwrap();
    assert_eq!(read(&mut server, 5).await, b"again");
}

#[tokio::test]
async fn a_silent_line_tells_neither_end_and_can_be_cut() {
    let (line, mut client, mut server) = connected(Conduct::Good).await;
    client.write_all(b"heard").await.unwrap();
    assert_eq!(read(&mut server, 5).await, b"heard");
    line.silence();
    client.write_all(b"lost").await.unwrap();
    client.shutdown().await.unwrap();
    line.cut();
    assert_eq!(rest(&mut server).await.0, b"", "neither what was said nor its end arrived");
}

#[tokio::test]
async fn a_refused_connection_never_reaches_its_target() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let line = Line::to(listener.local_addr().unwrap()).await.unwrap();
    line.conduct(Conduct::All(Fate { refused: true, ..Fate::default() }));
    // Some systems say so while it connects.
    if let Ok(mut client) = TcpStream::connect(line.address()).await {
        assert_eq!(rest(&mut client).await.0, b"");
    }
    line.conduct(Conduct::Good);
    let mut client = TcpStream::connect(line.address()).await.unwrap();
    client.write_all(b"!").await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    assert_eq!(read(&mut server, 1).await, b"!", "the first to arrive is the second");
    assert_eq!(line.cuts(), 1);
}
