use proptest::prelude::*;

use super::*;
use crate::{
    config::Token,
    control::{FromGuest, GuestExit, GuestFailure, ToGuest},
    delivery::{FileEntry, FileOutcome, FilePath, Sha256, SkippedFor},
};

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(message: &T) {
    let mut bytes = Vec::new();
    write(&mut bytes, message).unwrap();
    let mut from = bytes.as_slice();
    assert_eq!(read::<T>(&mut from).unwrap().as_ref(), Some(message));
    assert!(from.is_empty());
}

#[test]
fn every_message_comes_back_as_it_was_sent() {
    let failure = GuestFailure::CommandNotFound { command: "x".into(), looked_in: vec!["/bin".into()] };
    for message in [
        FromGuest::Hello { version: 1, token: Token([7; 16]), init_ns: 1, ready_ns: u64::MAX },
        FromGuest::Started { run: 0, at_ns: 5 },
        FromGuest::Ended { run: 1, exit: GuestExit::Signal(9), wall_ns: 3, oom_killed: true },
        FromGuest::Delivered { run: 1 },
        FromGuest::Failed { failure },
    ] {
        comes_back(&message);
    }
    for order in [ToGuest::Run { run: 3 }, ToGuest::Stop, ToGuest::Finish] {
        comes_back(&order);
    }
    for path in [b"/a/b".to_vec(), b"/a/\xff".to_vec()] {
        let outcome = FileOutcome::Contents { size: 3, sha256: Sha256::of(b"abc") };
        comes_back(&FileEntry { path: FilePath(path.clone()), outcome });
        let reason = SkippedFor::TooLarge { size: 5, max: 4 };
        comes_back(&FileEntry { path: FilePath(path), outcome: FileOutcome::Skipped { reason } });
    }
}

#[test]
fn a_length_beyond_the_bound_is_refused_before_anything_is_read() {
    let mut from: &[u8] = &[0xff, 0xff, 0xff, 0x7f, 1, 2, 3];
    assert!(matches!(read::<ToGuest>(&mut from), Err(FrameError::TooLarge { length: 0x7fff_ffff })));
    assert_eq!(from, [1, 2, 3]);
}

#[test]
fn a_connection_that_ends_between_frames_is_an_end_and_within_one_an_error() {
    assert!(matches!(read::<ToGuest>(&mut [].as_slice()), Ok(None)));
    let bytes = encode(&ToGuest::Stop).unwrap();
    for cut in 1..bytes.len() {
        assert!(matches!(read::<ToGuest>(&mut &bytes[..cut]), Err(FrameError::Truncated)), "cut at {cut}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let mut from = bytes.as_slice();
        while let Ok(Some(_)) = read::<FromGuest>(&mut from) {}
    }
}
