use super::*;
use crate::{frame, limits::MAX_FRAME};

/// The worst that can happen to a text on its way: every character of it is written as six.
fn long() -> String {
    "\u{1}".repeat(1024 * 1024)
}

#[test]
fn a_failure_with_endless_texts_still_fits_a_frame() {
    let failures = [
        GuestFailure::CommandNotFound { command: long(), looked_in: vec![long(); 3] },
        GuestFailure::CommandNotFound { command: long(), looked_in: vec!["\u{1}".to_owned(); 1024 * 1024] },
        GuestFailure::ExecFailed { command: long(), reason: long() },
        GuestFailure::System { action: long(), reason: long() },
    ];
    for failure in failures {
        let frame = frame::encode(&FromGuest::Failed { failure: failure.cut() }).unwrap();
        assert!(frame.len() <= MAX_FRAME, "{} bytes", frame.len());
    }
}

#[test]
fn a_text_is_cut_at_a_character() {
    let failure = GuestFailure::UnknownUser { user: "ä".repeat(MAX_MESSAGE) }.cut();
    let GuestFailure::UnknownUser { user } = failure else { panic!("{failure:?}") };
    assert!(user.len() <= MAX_MESSAGE && user.ends_with("ä…"), "{} bytes", user.len());
}

#[test]
fn what_is_short_stays_as_it_is() {
    let failure = GuestFailure::CommandNotFound { command: "bench".to_owned(), looked_in: vec!["/bin".to_owned()] };
    assert_eq!(failure.clone().cut(), failure);
}
