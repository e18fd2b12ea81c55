use std::{
    io::Read as _,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use super::*;

fn captured(text: &[u8]) -> Captured {
    let mut captured = Captured::default();
    captured.add(text, 1 << 30);
    captured
}

/// A connection and its other end.
fn live() -> (Live, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Live::over(Some(File::from(OwnedFd::from(ours)))), theirs)
}

/// Everything that was told, after the end of the connection.
fn heard(live: Live, mut host: UnixStream) -> Vec<(Stream, u64, usize)> {
    drop(live);
    let mut pieces = Vec::new();
    while let Ok(Some(PieceHeader { stream, offset, bytes })) = frame::read(&mut host) {
        let mut text = vec![0; usize::try_from(bytes).unwrap()];
        if host.read_exact(&mut text).is_err() {
            break;
        }
        pieces.push((stream, offset, text.len()));
    }
    pieces
}

#[test]
fn both_streams_are_told_and_nothing_twice() {
    let (mut live, host) = live();
    live.tell_now(&captured(b"one"), &captured(b""));
    live.tell_now(&captured(b"one"), &captured(b"err"));
    live.tell_now(&captured(b"one two"), &captured(b"err"));
    assert_eq!(live.deadline(&captured(b"one two"), &captured(b"err")), None, "nothing is to be told");
    assert!(live.deadline(&captured(b"one two three"), &captured(b"err")).is_some());
    assert_eq!(heard(live, host), [(Stream::Stdout, 0, 3), (Stream::Stderr, 0, 3), (Stream::Stdout, 3, 4)]);
}

#[test]
fn of_a_flood_the_beginning_is_told_and_the_rest_left_out() {
    let (mut live, host) = live();
    let flood = vec![b'x'; 1 << 20];
    live.tell_now(&captured(&flood), &captured(b""));
    let more = [flood, b"end".to_vec()].concat();
    live.tell_now(&captured(&more), &captured(b""));
    assert_eq!(heard(live, host), [(Stream::Stdout, 0, limits::LIVE_PIECE), (Stream::Stdout, 1 << 20, 3)]);
}

#[test]
fn a_host_that_reads_nothing_is_not_waited_for() {
    let (mut live, host) = live();
    let mut text = Vec::new();
    for _ in 0..200 {
        text.extend(vec![b'x'; limits::LIVE_PIECE]);
        live.tell_now(&captured(&text), &captured(b""));
    }
    assert!(!live.pending.is_empty() && live.pending.len() <= 2 * limits::LIVE_PIECE);
    drop(host);
    live.tell_now(&captured(&text), &captured(b"x"));
    assert_eq!(live.deadline(&captured(&text), &captured(b"x")), None, "the connection is gone");
}

#[test]
fn where_nobody_wants_to_know_nothing_wakes_the_guest() {
    let live = Live::over(None);
    assert_eq!(live.deadline(&captured(b"text"), &captured(b"text")), None);
}
