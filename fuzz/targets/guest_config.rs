//! Target `guest_config`: any bytes as a guest's configuration drive. What is accepted must be written and read back the
//! same. The digest, which no fuzzer finds, is put right first.

use bencher_init::{delivery::Sha256, drive};

/// Where the digest and the text are; see `drive`.
const LENGTH: std::ops::Range<usize> = 8..16;
const DIGEST: std::ops::Range<usize> = 16..48;

pub(crate) fn run(bytes: &[u8]) {
    check(bytes);
    let mut mended = bytes.to_vec();
    let Some(length) = mended.get(LENGTH).and_then(|length| length.try_into().ok()).map(u64::from_le_bytes) else { return };
    let end = usize::try_from(length).ok().and_then(|length| DIGEST.end.checked_add(length));
    let Some(text) = end.and_then(|end| mended.get(DIGEST.end..end)) else { return };
    let digest = Sha256::of(text);
    mended[DIGEST].copy_from_slice(&digest.0);
    check(&mended);
}

fn check(bytes: &[u8]) {
    let Ok(config) = drive::read(&mut &*bytes) else { return };
    let written = drive::encode(&config).unwrap_or_else(|error| panic!("{config:?} cannot be written: {error}"));
    let again = drive::read(&mut written.as_slice()).unwrap_or_else(|error| panic!("{config:?} is refused: {error}"));
    assert!(again == config, "{config:?} was read as {again:?}");
}
