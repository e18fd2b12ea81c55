use std::{io::Write as _, os::unix::net::UnixStream as Guest, path::Path, time::Duration};

use bencher_init::{FilesHeader, StreamHeader, ToGuest, delivery::Sha256, frame};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::sandbox::{ExecutionPlan, command::ImageCommand};

const TOKEN: Token = Token([1; 16]);

/// Sockets in a folder, to which the test connects as Firecracker would for its guest.
struct World {
    dir: TempDir,
    channel: Channel,
    _root: File,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = File::open(dir.path()).unwrap();
        let command = ImageCommand { args: Vec::new(), env: Vec::new(), working_dir: "/".to_owned(), user: None };
        let plan = ExecutionPlan::new("base".into(), command, Duration::from_secs(1));
        let channel = Channel::open(&root, None, TOKEN, Wanted::of(&plan), None).unwrap();
        Self { dir, channel, _root: root }
    }

    fn connect(&self, port: u32) -> Guest {
        connect(self.dir.path(), port)
    }

    async fn next(&mut self) -> Incoming {
        timeout(Duration::from_secs(60), self.channel.next()).await.unwrap().unwrap()
    }

    async fn event(&mut self) -> Event {
        match self.next().await {
            Incoming::Event(event) => event,
            Incoming::Control(_) => panic!("another control connection"),
        }
    }

    /// Greets as the guest does.
    async fn greet(&mut self) -> (Guest, OwnedWriteHalf) {
        let mut guest = self.connect(CONTROL);
        frame::write(&mut guest, &hello(TOKEN)).unwrap();
        let Incoming::Control(writer) = self.next().await else { panic!("no control connection") };
        assert!(matches!(self.event().await, Event::Guest(FromGuest::Hello { .. })));
        (guest, writer)
    }
}

fn connect(dir: &Path, port: u32) -> Guest {
    Guest::connect(dir.join(format!("v.sock_{port}"))).unwrap()
}

fn hello(token: Token) -> FromGuest {
    FromGuest::Hello { version: 1, token, init_ns: 0, ready_ns: 0 }
}

fn deliver(mut guest: &Guest, token: Token, run: u32, content: &[u8]) {
    frame::write(&mut guest, &Opening { token, run }).unwrap();
    let (total, sha256) = (content.len() as u64, Sha256::of(content));
    frame::write(&mut guest, &StreamHeader { total, kept: total, sha256 }).unwrap();
    // Who is not let in may find the connection closed.
    let _ = guest.write_all(content);
}

#[tokio::test]
async fn a_guest_greets_takes_orders_and_delivers() {
    let mut world = World::new();
    let (mut guest, mut orders) = world.greet().await;
    orders.write_all(&frame::encode(&ToGuest::Run { run: 0 }).unwrap()).await.unwrap();
    let order: Option<ToGuest> = tokio::task::spawn_blocking({
        let mut guest = guest.try_clone().unwrap();
        move || frame::read(&mut guest).unwrap()
    })
    .await
    .unwrap();
    assert_eq!(order, Some(ToGuest::Run { run: 0 }));
    world.channel.expect(0);
    deliver(&world.connect(STDOUT), TOKEN, 0, b"out");
    assert!(matches!(world.event().await, Event::Parcel(Parcel::Stdout(stream)) if &stream.bytes[..] == b"out"));
    deliver(&world.connect(STDERR), TOKEN, 0, b"");
    assert!(matches!(world.event().await, Event::Parcel(Parcel::Stderr(_))));
    let mut files = world.connect(FILES);
    frame::write(&mut files, &Opening { token: TOKEN, run: 0 }).unwrap();
    frame::write(&mut files, &FilesHeader { count: 0 }).unwrap();
    drop(files);
    assert!(matches!(world.event().await, Event::Parcel(Parcel::Files(_))));
    frame::write(&mut guest, &FromGuest::Delivered { run: 0 }).unwrap();
    assert!(matches!(world.event().await, Event::Guest(FromGuest::Delivered { run: 0 })));
    drop(guest);
    assert!(matches!(world.event().await, Event::ControlClosed));
}

#[tokio::test]
async fn strangers_are_heard_by_nobody() {
    let mut world = World::new();
    for greeting in [hello(Token([2; 16])), FromGuest::Started { run: 0, at_ns: 0 }] {
        frame::write(&mut world.connect(CONTROL), &greeting).unwrap();
    }
    let _ = world.connect(CONTROL).write_all(b"GET / HTTP/1.1\r\n\r\n");
    let (_guest, _orders) = world.greet().await;
    // There is one control connection only, even for who knows the token.
    frame::write(&mut world.connect(CONTROL), &hello(TOKEN)).unwrap();
    let failed = FromGuest::Failed { failure: bencher_init::control::GuestFailure::NoCommand };
    frame::write(&mut world.connect(CONTROL), &failed).unwrap();
    deliver(&world.connect(STDOUT), TOKEN, 0, b"before any run");
    world.channel.expect(1);
    deliver(&world.connect(STDOUT), Token([2; 16]), 1, b"another token");
    deliver(&world.connect(STDOUT), TOKEN, 0, b"another run");
    deliver(&world.connect(STDOUT), TOKEN, 1, b"the real one");
    assert!(matches!(world.event().await, Event::Parcel(Parcel::Stdout(stream)) if &stream.bytes[..] == b"the real one"));
    deliver(&world.connect(STDOUT), TOKEN, 1, b"once more");
    deliver(&world.connect(STDERR), TOKEN, 1, b"errors");
    assert!(matches!(world.event().await, Event::Parcel(Parcel::Stderr(_))));
}

#[tokio::test]
async fn a_guest_that_fails_before_it_knows_its_token_is_heard() {
    let mut world = World::new();
    let failure = bencher_init::control::GuestFailure::Config { reason: "no drive".to_owned() };
    frame::write(&mut world.connect(CONTROL), &FromGuest::Failed { failure: failure.clone() }).unwrap();
    assert!(matches!(world.next().await, Incoming::Control(_)));
    assert!(matches!(world.event().await, Event::Guest(FromGuest::Failed { failure: said }) if said == failure));
}

#[tokio::test]
async fn a_flood_of_idle_connections_does_not_keep_the_real_one_out() {
    let mut world = World::new();
    let (_guest, _orders) = world.greet().await;
    world.channel.expect(0);
    let dir = world.dir.path().to_owned();
    // They stay open and say nothing.
    let idle = tokio::task::spawn_blocking(move || (0..1000).map(|_| connect(&dir, STDOUT)).collect::<Vec<_>>());
    let idle = idle.await.unwrap();
    deliver(&world.connect(STDOUT), TOKEN, 0, b"through");
    assert!(matches!(world.event().await, Event::Parcel(Parcel::Stdout(stream)) if &stream.bytes[..] == b"through"));
    drop(idle);
}

#[tokio::test]
async fn nonsense_on_the_control_connection_is_told_once() {
    let mut world = World::new();
    let (mut guest, _orders) = world.greet().await;
    guest.write_all(&[0xff; 100]).unwrap();
    assert!(matches!(world.event().await, Event::ControlBroken(Lie::Frame(_))));
}

#[tokio::test]
async fn a_delivery_with_a_wrong_digest_is_told_as_that() {
    let mut world = World::new();
    let (_guest, _orders) = world.greet().await;
    world.channel.expect(0);
    let mut guest = world.connect(STDERR);
    frame::write(&mut guest, &Opening { token: TOKEN, run: 0 }).unwrap();
    frame::write(&mut guest, &StreamHeader { total: 3, kept: 3, sha256: Sha256::of(b"abc") }).unwrap();
    guest.write_all(b"abd").unwrap();
    assert!(matches!(world.event().await, Event::ParcelBroken(Lie::Digest { what: "the standard error" })));
}
