use std::fs;

use bencher_types::JobUuid;

use super::{DataDir, DataDirError, InFlight};
use crate::clock;

#[test]
fn a_second_runner_is_told_who_uses_the_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = DataDir::open(dir.path().join("data")).expect("it is free");
    let error = DataDir::open(dir.path().join("data")).expect_err("it is in use");
    assert!(matches!(error, DataDirError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
    drop(first);
    DataDir::open(dir.path().join("data")).expect("it is free again").forget().expect("there is nothing to forget");
}

#[test]
fn a_job_in_flight_is_remembered_until_it_is_forgotten() {
    let dir = tempfile::tempdir().expect("a folder");
    let in_flight = InFlight { job: JobUuid::random(), claimed: clock::today() };
    let data = DataDir::open(dir.path().to_owned()).expect("it is free");
    assert_eq!(data.remembered(), None);
    data.remember(in_flight).expect("it is written");
    drop(data);

    let data = DataDir::open(dir.path().to_owned()).expect("it is free");
    assert_eq!(data.remembered(), Some(in_flight));
    data.forget().expect("it is removed");
    assert_eq!(data.remembered(), None);
}

#[test]
fn a_half_written_memory_of_a_job_is_no_job() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = DataDir::open(dir.path().to_owned()).expect("it is free");
    fs::write(dir.path().join("in-flight.json"), "{\"job\":").expect("damage");
    assert_eq!(data.remembered(), None);
}
