use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
};

use bencher_init::config::Token;

use super::*;

fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("data/sub/deep")).unwrap();
    for (name, text) in [
        ("data/a.json", "aa"),
        ("data/b.json", "bbbb"),
        ("data/c.txt", "c"),
        ("data/.hidden.json", "h"),
        ("data/sub/d.json", "d"),
        ("data/sub/deep/e.json", "e"),
        ("data/star*", "*"),
        ("data/star1", "1"),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    fs::write(dir.path().join(OsStr::from_bytes(b"data/\xff.bin")), "raw").unwrap();
    symlink("a.json", dir.path().join("data/link.json")).unwrap();
    symlink("link.json", dir.path().join("data/far.json")).unwrap();
    fs::create_dir(dir.path().join("data/folder.json")).unwrap();
    dir
}

struct Wanted<'a> {
    paths: &'a [&'a str],
    bounds: Bounds,
    contents: FileContents,
}

const GENEROUS: Bounds = Bounds { max_output_size: 100, max_files_size: 1000, max_file_count: 20, max_symlinks: 2 };

fn collected(wanted: &Wanted<'_>) -> Vec<String> {
    let dir = tree();
    let config = GuestConfig {
        version: 1,
        token: Token([0; 16]),
        hostname: String::new(),
        args: Vec::new(),
        env: Vec::new(),
        working_dir: "/data".to_owned(),
        user: None,
        rlimits: Vec::new(),
        max_pids: None,
        bounds: wanted.bounds,
        file_paths: wanted.paths.iter().map(|path| (*path).to_owned()).collect(),
        file_contents: wanted.contents,
        grace_period_ms: 0,
        live: false,
        network: None,
    };
    let collection = Collection::below(Tree::open(dir.path()).unwrap(), &config);
    collection.entries.into_iter().map(shown).collect()
}

fn shown(Collected { entry, contents }: Collected) -> String {
    let path = entry.path.0.escape_ascii();
    match (entry.outcome, contents) {
        (FileOutcome::Contents { size, sha256 }, Some((mut file, to_send))) => {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert_eq!((size, to_send, sha256), (text.len() as u64, size, Sha256::of(text.as_bytes())));
            format!("{path} = {text}")
        }
        (FileOutcome::Size { size }, None) => format!("{path}: {size}"),
        (FileOutcome::Skipped { reason }, None) => format!("{path}: {reason:?}"),
        other => panic!("{path}: {other:?}"),
    }
}

fn check(paths: &[&str], expected: &[&str]) {
    assert_eq!(collected(&Wanted { paths, bounds: GENEROUS, contents: FileContents::Read }), expected, "{paths:?}");
}

#[test]
fn files_are_found_from_the_working_directory_and_from_the_root() {
    check(&["a.json", "/data/c.txt", "../data/sub/d.json"], &["a.json = aa", "/data/c.txt = c", "../data/sub/d.json = d"]);
}

#[test]
fn patterns_stand_for_every_file_that_matches() {
    check(&["*.json"], &["a.json = aa", "b.json = bbbb", "far.json = aa", "link.json = aa"]);
    check(&["/data/sub/*/*.json"], &["/data/sub/deep/e.json = e"]);
    check(&["s?b/[!x]*.json"], &["sub/d.json = d"]);
    check(&["*.bin"], &[r"\xff.bin = raw"]);
    check(&[".*.json"], &[".hidden.json = h"]);
}

#[test]
fn a_file_of_that_very_name_wins_over_the_pattern() {
    check(&["star*"], &["star* = *"]);
    check(&["star?"], &["star* = *", "star1 = 1"]);
}

#[test]
fn nothing_is_sent_twice() {
    check(&["a.json", "a.json", "[ab].json"], &["a.json = aa", "b.json = bbbb"]);
}

#[test]
fn what_is_not_there_is_said() {
    check(&["nope", "*.nope", "sub", "a.json/x"], &["nope: Missing", "*.nope: Missing", "sub: NotRegular", "a.json/x: Missing"]);
}

#[test]
fn bounds_are_kept() {
    let check = |bounds: Bounds, paths: &[&str], expected: &[&str]| {
        assert_eq!(collected(&Wanted { paths, bounds, contents: FileContents::Read }), expected, "{paths:?}");
    };
    check(
        Bounds { max_output_size: 3, ..GENEROUS },
        &["a.json", "b.json"],
        &["a.json = aa", "b.json: TooLarge { size: 4, max: 3 }"],
    );
    check(
        Bounds { max_files_size: 5, ..GENEROUS },
        &["b.json", "a.json", "c.txt"],
        &["b.json = bbbb", "a.json: TogetherTooLarge { max: 5 }", "c.txt = c"],
    );
    check(
        Bounds { max_symlinks: 1, ..GENEROUS },
        &["far.json", "link.json"],
        &["far.json: TooManySymlinks { max: 1 }", "link.json = aa"],
    );
    check(
        Bounds { max_file_count: 1, ..GENEROUS },
        &["*.json", "c.txt"],
        &["a.json = aa", "b.json: TooMany { max: 1 }", "c.txt: TooMany { max: 1 }"],
    );
}

#[test]
fn a_size_needs_no_contents() {
    let wanted =
        Wanted { paths: &["b.json"], bounds: Bounds { max_output_size: 1, ..GENEROUS }, contents: FileContents::SizeOnly };
    assert_eq!(collected(&wanted), ["b.json: 4"]);
}

#[test]
fn files_of_the_kernel_are_no_results() {
    let tree = Tree::open(Path::new("/")).unwrap();
    let mut collector = Collector { tree, bounds: GENEROUS, wanted: FileContents::Read, found: 0, together: 0 };
    assert_eq!(collector.file(b"/proc/version").map(|_| ()), Err(SkippedFor::NotRegular));
}
