use std::{
    fs::{self, File},
    time::{Duration, UNIX_EPOCH},
};

use bencher_types::DateTime;

use super::sweep;

#[test]
fn what_a_killed_server_left_unfinished_goes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let job = folder.path().join("0190b6a8-0000-4000-8000-000000000000");
    fs::create_dir(&job).unwrap();
    let write = |name: &str, secs: u64| {
        let file = File::create(job.join(name)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(secs)).unwrap();
    };
    write("runner-hash.json", 10);
    write("runner-hash.json#1", 10);
    write("other.json#12", 10);
    write("young.json#1", 30);
    write("odd#name.json", 10);
    assert_eq!(sweep(folder.path(), DateTime::from_micros(20_000_000).unwrap()).unwrap(), 2);
    let mut left: Vec<String> =
        fs::read_dir(&job).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["odd#name.json", "runner-hash.json", "young.json#1"]);
}

#[test]
fn a_server_without_output_has_nothing_to_remove() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(sweep(&folder.path().join("jobs"), DateTime::from_micros(1).unwrap()).unwrap(), 0);
}
