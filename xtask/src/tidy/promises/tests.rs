use super::super::snapshot::TextFile;

#[track_caller]
fn check_one(page: &str, expected: &[&str]) {
    let file = |path: &str, text: &str| TextFile { path: path.to_owned(), text: text.to_owned() };
    let source =
        file("crates/x/tests/it/main.rs", "#[tokio::test]\nasync fn it_holds() {}\n    fn inside_a_macro(x in 0..1) {}\n");
    let found = super::check(&[file("docs/reliability.md", page), source]);
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn tests_that_are_there_may_be_named() {
    check_one(
        "# A page\n| promise | tests |\n|---|---|\n| it holds | `it_holds`, `inside_a_macro` |\nText of `it_does_not`.\n",
        &[],
    );
}

#[test]
fn a_test_that_is_gone_is_found() {
    check_one("| it holds | `it_holds`, `it_held` |\n", &["docs/reliability.md:1: there is no test `it_held`"]);
}

#[test]
fn a_promise_without_a_test_is_found() {
    check_one("| it holds | hopefully |\n", &["docs/reliability.md:1: a promise without a test: name one, or do not promise it"]);
}
