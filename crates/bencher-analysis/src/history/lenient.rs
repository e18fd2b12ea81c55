//! JSON as Python writes it: with `NaN` and `Infinity`, which are no JSON.

use std::borrow::Cow;

/// The same text with `null` for each of them.
pub(super) fn without_nan(text: &str) -> Cow<'_, str> {
    const WORDS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];
    if !WORDS.iter().any(|word| text.contains(word)) {
        return Cow::Borrowed(text);
    }
    let mut json = String::with_capacity(text.len());
    let mut in_string = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(word) = WORDS.iter().find(|word| !in_string && rest.starts_with(**word)) {
            json.push_str("null");
            rest = &rest[word.len()..];
            continue;
        }
        let mut taken = c.len_utf8();
        match c {
            '"' => in_string = !in_string,
            // Whatever is escaped, it does not end the string.
            '\\' if in_string => taken += rest[1..].chars().next().map_or(0, char::len_utf8),
            _ => {}
        }
        json.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    Cow::Owned(json)
}
