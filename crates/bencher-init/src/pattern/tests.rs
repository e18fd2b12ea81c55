use proptest::prelude::*;

use super::*;

fn check(pattern: &str, yes: &[&str], no: &[&str]) {
    for name in yes {
        assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} does not match {name}");
    }
    for name in no {
        assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} matches {name}");
    }
}

#[test]
fn a_star_stands_for_any_characters() {
    check("*.json", &["a.json", "ab.json.json"], &["a.jso", "json", ".json", "a.json5"]);
    check("a*b*c", &["abc", "axbxc", "abbcc"], &["ab", "acb", "abcd"]);
    check("*", &["x", "ä", ""], &[".hidden"]);
    check("**", &["x"], &[]);
}

#[test]
fn a_question_mark_stands_for_one_character() {
    check("?.txt", &["a.txt", "ä.txt", "€.txt"], &["ab.txt", ".txt"]);
}

#[test]
fn brackets_stand_for_one_of_a_set() {
    check("run[0-9]", &["run0", "run9"], &["run", "runx", "run10"]);
    check("[!a-c]x", &["dx", "äx"], &["ax", "cx"]);
    check("[^a]", &["b"], &["a"]);
    check("[]a]", &["]", "a"], &["b"]);
    check("[a-]", &["a", "-"], &["b"]);
    check("[à-ü]", &["ä"], &["a"]);
    check(r"[\]x]", &["]", "x"], &["\\"]);
}

#[test]
fn what_is_no_pattern_stands_for_itself() {
    check("[a", &["[a"], &["a"]);
    check("a[", &["a["], &["a"]);
    check(r"\*", &["*"], &["a", r"\*"]);
    check(r"a\", &[r"a\"], &["a"]);
    check("", &[""], &["a"]);
    check("a", &["a"], &["A", "aa", ""]);
}

#[test]
fn hidden_names_are_asked_for() {
    check(".*", &[".a"], &["a"]);
    check(r"\.*", &[".a"], &["a"]);
    check("?a", &["xa"], &[".a"]);
}

#[test]
fn names_that_are_no_text_are_matched_byte_by_byte() {
    assert!(matches(b"a?", b"a\xff"));
    assert!(!matches(b"a?", b"a\xff\xfe"));
    assert!(matches(b"a\xff*", b"a\xff\xfe"));
    assert!(matches(b"*\xfe", b"a\xff\xfe"));
}

#[test]
fn many_stars_take_no_time() {
    let pattern = "*a".repeat(200) + "b";
    assert!(!matches(pattern.as_bytes(), "a".repeat(10_000).as_bytes()));
}

#[test]
fn a_pattern_stands_for_the_paths_that_it_is_expanded_to() {
    let names = |folder: &[u8]| match folder {
        b"/r" => vec![b"b".to_vec(), b"a".to_vec(), b"c".to_vec()],
        b"/r/a" | b"/r/b" => vec![b"1.svg".to_vec(), b"2.txt".to_vec()],
        _ => Vec::new(),
    };
    let found = expand(b"/r/[ab]/*.svg", names);
    assert_eq!(found, [b"/r/a/1.svg", b"/r/b/1.svg"]);
    assert!(found.iter().all(|path| stands_for(b"/r/[ab]/*.svg", path)));
    assert_eq!(expand(b"plain/path", names), [b"plain/path"]);
    assert!(stands_for(b"a*b", b"a*b") && stands_for(b"/a//b", b"/a/b"));
    for (pattern, path) in [("/r/*", "/r/a/b"), ("/r/*", "r/a"), ("*", "a/b"), ("/r/*/x", "/r/x")] {
        assert!(!stands_for(pattern.as_bytes(), path.as_bytes()), "{pattern} {path}");
    }
}

/// The same, as it is defined, for stars and question marks.
fn plainly(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|at| plainly(rest, &name[at..])),
        Some((b'?', rest)) => !name.is_empty() && plainly(rest, &name[1..]),
        Some((byte, rest)) => name.first() == Some(byte) && plainly(rest, &name[1..]),
    }
}

proptest! {
    #[test]
    fn it_is_what_it_is_defined_as(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
        prop_assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), plainly(pattern.as_bytes(), name.as_bytes()));
    }

    #[test]
    fn any_bytes_end(pattern in any::<Vec<u8>>(), name in any::<Vec<u8>>()) {
        let _ = matches(&pattern, &name);
    }

    #[test]
    fn a_name_without_specials_matches_itself(name in "[a-zäöü0-9 _.{}!-]{0,20}") {
        prop_assert!(matches(name.as_bytes(), name.as_bytes()));
    }
}
