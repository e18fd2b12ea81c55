//! Target `guest`: any bytes as what a guest sends to the runner: on its control connection, as a stream, as files. The first
//! byte says which. What is accepted must be written and read back the same, and no frame may be larger than its bound.

use std::{fmt::Debug, io::Read as _};

use bencher_init::{
    FileEntry, FilesHeader, FromGuest, Opening, StreamHeader, ToGuest,
    delivery::FileOutcome,
    frame::{self, LENGTH_BYTES},
    limits::MAX_FRAME,
};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) fn run(bytes: &[u8]) {
    let Some((kind, mut bytes)) = bytes.split_first() else { return };
    match kind % 4 {
        0 => while next::<FromGuest>(&mut bytes).is_some() {},
        1 => while next::<ToGuest>(&mut bytes).is_some() {},
        2 => stream(bytes),
        _ => files(bytes),
    }
}

fn stream(mut bytes: &[u8]) {
    if next::<Opening>(&mut bytes).is_none() {
        return;
    }
    let Some(header) = next::<StreamHeader>(&mut bytes) else { return };
    skip(&mut bytes, header.kept);
}

fn files(mut bytes: &[u8]) {
    if next::<Opening>(&mut bytes).is_none() {
        return;
    }
    let Some(FilesHeader { count }) = next(&mut bytes) else { return };
    for _ in 0..count {
        let Some(entry) = next::<FileEntry>(&mut bytes) else { return };
        if let FileOutcome::Contents { size, .. } = entry.outcome {
            skip(&mut bytes, size);
        }
    }
}

/// Goes over what follows a header, as far as there is any.
fn skip(bytes: &mut &[u8], length: u64) {
    let mut rest = bytes.take(length);
    std::io::copy(&mut rest, &mut std::io::sink()).unwrap_or_else(|error| panic!("memory cannot be read: {error}"));
}

/// The next frame, where there is one that is accepted.
fn next<T: Debug + PartialEq + Serialize + DeserializeOwned>(bytes: &mut &[u8]) -> Option<T> {
    let before = bytes.len();
    let message = frame::read::<T>(bytes).ok()??;
    assert!(before - bytes.len() <= LENGTH_BYTES + MAX_FRAME, "a frame of {} bytes was read", before - bytes.len());
    match frame::encode(&message) {
        Ok(written) => {
            let again = frame::read::<T>(&mut written.as_slice());
            assert_eq!(again.unwrap_or_else(|error| panic!("{message:?} is refused: {error}")).as_ref(), Some(&message));
        }
        // What was written with fewer escapes than we write may be over the bound.
        Err(frame::FrameError::TooLarge { .. }) => {}
        Err(error) => panic!("{message:?} cannot be written: {error}"),
    }
    Some(message)
}
