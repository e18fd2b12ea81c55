use super::*;

#[track_caller]
fn check_one(path: &str, text: &str, expected: &[&str]) {
    let found = super::check(&[TextFile { path: path.to_owned(), text: text.to_owned() }]);
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn a_good_file_passes() {
    check_one("crates/x/src/name.rs", "//! Names.\n\nfn f() {}\n", &[]);
}

#[test]
fn a_file_without_a_module_doc_is_found() {
    let expected = "begin with `//!`: what the module is for and what it must not know";
    check_one("crates/x/src/name.rs", "fn f() {}\n", &[&format!("crates/x/src/name.rs: {expected}")]);
    check_one("crates/x/src/name.rs", "//! \n", &[&format!("crates/x/src/name.rs: {expected}")]);
    check_one("crates/x/src/name/tests.rs", "fn f() {}\n", &[]);
}

#[test]
fn unfinished_work_is_found_in_code_and_comments() {
    let word = UNFINISHED[0];
    check_one(
        "crates/x/migrations/1.sql",
        &format!("-- {word}: an index\n"),
        &[&format!("crates/x/migrations/1.sql:1: finish it or leave it out: {word} is left behind")],
    );
    check_one("crates/x/tests/it/main.rs", &format!("// {}S\n", word), &[]);
    check_one("docs/rules.md", &format!("No {word} in code.\n"), &[]);
}

#[test]
fn a_mod_rs_is_found() {
    check_one(
        "crates/x/src/job/mod.rs",
        "//! Jobs.\n",
        &["crates/x/src/job/mod.rs: write `foo.rs` beside the folder `foo/` instead of `foo/mod.rs`"],
    );
}

#[test]
fn a_name_that_says_nothing_is_found() {
    check_one(
        "crates/x/src/utils.rs",
        "//! Things.\n",
        &["crates/x/src/utils.rs: `utils` says nothing about what is inside; name the idea"],
    );
    check_one(
        "crates/x/src/common/time.rs",
        "//! Time.\n",
        &["crates/x/src/common/time.rs: `common` says nothing about what is inside; name the idea"],
    );
    check_one("crates/x/src/common_name.rs", "//! Names in common.\n", &[]);
}

#[test]
fn an_ignored_test_is_found() {
    check_one(
        "crates/x/src/job/tests.rs",
        "#[test]\n#[ignore = \"slow\"]\nfn f() {}\n",
        &["crates/x/src/job/tests.rs:2: a test that does not run is no test; mend it or remove it"],
    );
}

#[test]
fn an_allowed_lint_is_found_and_an_expected_one_is_not() {
    check_one(
        "crates/x/src/job.rs",
        "//! Jobs, without `#[allow(x)]`.\n#![ allow(dead_code)]\n#[expect(dead_code, reason = \"x\")]\n",
        &["crates/x/src/job.rs:2: use `#[expect(lint, reason = \"…\")]`, which ends with its cause"],
    );
}

#[test]
fn a_long_file_needs_a_reason_and_a_huge_one_has_none() {
    let file = |doc: &str, lines: usize| format!("//! Jobs.\n{doc}{}", "fn f() {}\n".repeat(lines));
    let reason = "//! Long because it is one table.\n";
    check_one("crates/x/src/job.rs", &file("", 599), &[]);
    check_one(
        "crates/x/src/job.rs",
        &file("", 600),
        &["crates/x/src/job.rs: 601 lines; find the second idea inside, or say `//! Long because …` in the module doc"],
    );
    check_one("crates/x/src/job.rs", &file(reason, 700), &[]);
    check_one(
        "crates/x/src/job.rs",
        &file(reason, 1000),
        &["crates/x/src/job.rs: 1002 lines; split it, over 1000 there is no reason good enough"],
    );
    check_one("crates/x/src/job/tests.rs", &file("", 2000), &[]);
}

#[test]
fn the_environment_is_read_in_few_places() {
    let text = "//! X.\nlet home = std::env::var_os(\"HOME\");\n";
    check_one(
        "crates/x/src/job.rs",
        text,
        &["crates/x/src/job.rs:2: only main.rs, config.rs, cli.rs read the environment; pass the value instead of `env::var_os`"],
    );
    check_one("crates/x/src/config.rs", text, &[]);
    check_one("crates/x/tests/it/main.rs", text, &[]);
    check_one("xtask/src/setup.rs", text, &[]);
}
