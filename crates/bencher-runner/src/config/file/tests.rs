use std::{
    collections::BTreeSet,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use clap::CommandFactory as _;
use proptest::prelude::*;

use super::{FileError, KEYS, parse, read};
use crate::cli::Cli;

fn values(text: &str) -> Vec<(&'static str, String)> {
    parse(Path::new("runner.toml"), text).expect("a good file").by_key.into_iter().collect()
}

fn problem(text: &str) -> String {
    parse(Path::new("runner.toml"), text).expect_err("a bad file").to_string()
}

#[test]
fn every_flag_of_up_is_a_key_and_every_key_a_flag() {
    let command = Cli::command();
    let up = command.find_subcommand("up").expect("`up` is a verb");
    let flags = up.get_arguments().chain(command.get_arguments()).map(|arg| arg.get_id().as_str());
    let flags: BTreeSet<&str> = flags.filter(|id| *id != "config").collect();
    let keys: BTreeSet<&str> = KEYS.iter().flat_map(|(_, keys)| keys.iter().copied()).collect();
    assert_eq!(flags, keys);
}

#[test]
fn sections_texts_numbers_and_truths_are_read() {
    let text = "host = \"http://x\"\npoll_timeout = 7\ndanger_allow_no_sandbox = true\n[tuning]\nperf_event_paranoid = -1\n";
    let expected =
        [("danger_allow_no_sandbox", "true"), ("host", "http://x"), ("perf_event_paranoid", "-1"), ("poll_timeout", "7")];
    assert_eq!(values(text), expected.map(|(key, value)| (key, value.to_owned())));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one() {
    assert!(problem("pol_timeout = 1").contains("unknown key `pol_timeout`; did you mean `poll_timeout`?"));
    assert!(problem("max-output-size = 1").contains("did you mean `bounds.max_output_size`?"));
    assert!(problem("[bound]\nmax_files = 1").contains("`bound`; did you mean `[bounds]`?"));
    assert!(problem("[bounds]\nmax_file_cuont = 1").contains("did you mean `bounds.max_file_count`?"));
}

#[test]
fn a_key_in_the_wrong_place_is_told_its_place() {
    assert!(problem("governor = \"x\"").contains("into the section [tuning]"));
    assert!(problem("[storage]\nhost = \"x\"").contains("`storage.host` in the wrong place: it belongs at the top"));
}

#[test]
fn a_value_of_another_kind_is_refused() {
    assert!(problem("host = [1]").contains("a list as `host`"));
    assert!(problem("poll_timeout = 1.5").contains("a number with a fraction"));
    assert!(problem("host = { a = 1 }").contains("a section"));
}

#[test]
fn a_syntax_error_is_located_and_nothing_of_the_file_is_repeated() {
    let said = problem("host = \"x\"\nkey = bencher_runner_secret\n");
    assert!(said.contains("line 2, column") && !said.contains("secret"), "{said}");
}

#[test]
fn only_a_named_file_has_to_be_there() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("none.toml");
    assert!(matches!(read(None, &path), Ok(None)));
    let error = read(Some(&path), &path).expect_err("it was named");
    assert!(matches!(error, FileError::Read { .. }) && error.to_string().contains("--config"), "{error}");
}

#[test]
fn a_file_with_a_key_must_be_the_owners_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("runner.toml");
    std::fs::write(&path, "key = \"bencher_runner_x\"\nkey_file = \"k\"\n").expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("its mode");
    let error = read(Some(&path), &path).expect_err("others can read it").to_string();
    assert!(error.contains("mode 640") && error.contains("chmod 600"), "{error}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    let values = read(Some(&path), &path).expect("it is safe").expect("it is there");
    let folder = dir.path().canonicalize().expect("a path");
    assert_eq!(values.by_key["key_file"], folder.join("k").to_str().expect("text"), "a path is the file's neighbour");
}

#[test]
fn a_file_without_end_is_not_read_to_its_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("runner.toml");
    let file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path).expect("a file");
    file.set_len(1 << 30).expect("its length");
    assert!(matches!(read(Some(&path), &path), Err(FileError::TooLarge { .. })));
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "\\PC*") {
        let _ = parse(Path::new("x"), &text);
    }
}
