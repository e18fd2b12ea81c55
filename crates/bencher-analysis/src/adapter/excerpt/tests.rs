use super::{InvalidJson, around, beginning};

fn json_error(text: &str) -> serde_json::Error {
    serde_json::from_str::<Vec<u8>>(text).unwrap_err()
}

#[test]
fn long_text_is_cut() {
    let shown = beginning(&"x".repeat(1 << 20));
    assert_eq!(shown, format!("`{}`…", "x".repeat(120)));
}

#[test]
fn empty_text_is_named_so() {
    assert_eq!(beginning(" \n\t"), "no output");
}

#[test]
fn control_characters_are_escaped() {
    assert_eq!(beginning("\x1b[2Ja\tb\nc"), r"`\u{1b}[2Ja\tb\nc`");
}

#[test]
fn json_excerpt_shows_where_reading_stopped() {
    let text = "[\n  1,\n  oops\n]";
    assert_eq!(around(text, &json_error(text)), "`oops`");
}

#[test]
fn json_excerpt_of_a_long_line_is_around_the_place() {
    let text = format!("[{}, oops, {}]", "1, ".repeat(1000).trim_end_matches(", "), "2, ".repeat(1000));
    let shown = around(&text, &json_error(&text));
    assert!(shown.starts_with("…`") && shown.contains("oops") && shown.ends_with("`…"), "{shown}");
    assert!(shown.chars().count() < 130, "{shown}");
}

#[test]
fn json_excerpt_does_not_split_characters() {
    for padding in 0..8 {
        let text = format!("[{}\"{}\"]", " ".repeat(padding), "ß".repeat(500));
        around(&text, &json_error(&text));
    }
}

#[test]
fn json_error_does_not_repeat_a_long_text() {
    let text = format!("[\"{}\"]", "y".repeat(1 << 20));
    let shown = InvalidJson::from(&json_error(&text)).to_string();
    assert!(shown.starts_with("invalid type: string \"yyy"), "{shown}");
    assert!(shown.ends_with("y… at line 1 column 1048579"), "{shown}");
    assert!(shown.len() < 200);
}
