//! Target `channel`: any bytes as a frame of the runner channel, in both directions. What is accepted must be written and
//! read back the same.

use std::fmt::Debug;

use bencher_types::wire::channel::{FromRunner, ToRunner};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) fn run(bytes: &[u8]) {
    same_again::<FromRunner>(bytes);
    same_again::<ToRunner>(bytes);
}

fn same_again<T: Debug + PartialEq + Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(message) = serde_json::from_slice::<T>(bytes) else { return };
    let json = serde_json::to_string(&message).unwrap_or_else(|error| panic!("{message:?} cannot be written: {error}"));
    let again: T = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{json} is refused: {error}"));
    assert_eq!(again, message);
}
