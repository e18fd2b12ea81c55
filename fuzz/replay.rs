//! Feeds a target's whole corpus to it, in the ordinary tests of the crate it is about. Included by them, for they need no
//! fuzzer.

use std::{
    fs,
    panic::{RefUnwindSafe, catch_unwind},
    path::Path,
};

/// Runs a target on every file of its corpus and names those that it fails on.
pub(crate) fn replay(target: &str, run: impl Fn(&[u8]) + RefUnwindSafe) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", dir.display());
    let fails = |file: &&std::path::PathBuf| {
        let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        catch_unwind(|| run(&bytes)).is_err()
    };
    let failed: Vec<_> = files.iter().filter(fails).collect();
    assert!(failed.is_empty(), "the target `{target}` fails on {failed:#?}");
}
