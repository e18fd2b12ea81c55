//! Target `new_run`: any bytes as the body of a run or of a report. What is accepted must be written and read back the same.

use bencher_types::wire::run::{NewReport, NewRun};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) fn run(bytes: &[u8]) {
    same_again::<NewRun>(bytes);
    same_again::<NewReport>(bytes);
}

/// The bodies are not compared as such, for they have no equality, but as what is written of them.
fn same_again<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(body) = serde_json::from_slice::<T>(bytes) else { return };
    let json = serde_json::to_string(&body).unwrap_or_else(|error| panic!("an accepted body cannot be written: {error}"));
    let again: T = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{json} is refused: {error}"));
    let again = serde_json::to_string(&again).unwrap_or_else(|error| panic!("an accepted body cannot be written: {error}"));
    assert_eq!(again, json);
}
