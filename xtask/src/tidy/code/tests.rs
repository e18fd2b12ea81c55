use super::*;

#[track_caller]
fn check(text: &str, expected: &str) {
    let code = code_only(text);
    assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), expected);
    assert_eq!(code.len(), text.len(), "columns move");
    assert_eq!(code.lines().count(), text.lines().count(), "lines move");
}

#[test]
fn comments_are_blanked() {
    check("a // b\nc", "a c");
    check("a /* b /* c */ d */ e", "a e");
    check("//! axum\n/// axum\nfn x() {}", "fn x() {}");
}

#[test]
fn strings_are_blanked() {
    check(r#"a("b \" c"); d"#, "a( ); d");
    check(r##"a(r#"b " c"#); d"##, "a( ); d");
    check(r#"a(br"\"); d"#, "a(b ); d");
    check("var\"x\"", "var");
    check("\"more\nlines\"; a", "; a");
}

#[test]
fn characters_are_blanked_and_lifetimes_are_not() {
    check("a('\"', '\\'', 'ü', '\\u{1F600}') b", "a( , , , ) b");
    check("fn a<'x>(b: &'x str) {}", "fn a<'x>(b: &'x str) {}");
}

#[test]
fn words_stand_alone() {
    assert_eq!(words("axum axum_x xaxum axum::x", "axum").collect::<Vec<_>>(), [0, 18]);
}
