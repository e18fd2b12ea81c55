//! The short piece of a foreign text that an error may repeat.

use crate::limits::MAX_EXCERPT_CHARS;

/// Why a text is not the JSON that was expected, and where.
///
/// The reader's own error repeats a text that it did not expect in full, megabytes of it if need be; this one is cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidJson(String);

impl From<&serde_json::Error> for InvalidJson {
    fn from(error: &serde_json::Error) -> Self {
        let message = error.to_string();
        if message.chars().nth(2 * MAX_EXCERPT_CHARS).is_none() {
            return Self(message);
        }
        // The place stands at the end, which is cut off.
        let start: String = message.chars().take(MAX_EXCERPT_CHARS).collect();
        Self(format!("{start}… at line {} column {}", error.line(), error.column()))
    }
}

/// The beginning of the text, on one line.
pub(super) fn beginning(text: &str) -> String {
    let text = text.trim_start();
    if text.is_empty() {
        return "no output".to_owned();
    }
    quoted(text)
}

/// A name of the text itself, which may be of any length.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(MAX_EXCERPT_CHARS).collect()
}

/// The piece around where a JSON reader stopped, or the beginning where it has no place.
pub(super) fn around(text: &str, error: &serde_json::Error) -> String {
    // Both count from 1, the column in bytes; 0 is "nowhere".
    let Some(line) = error.line().checked_sub(1).and_then(|index| text.split('\n').nth(index)) else {
        return beginning(text);
    };
    if text.trim().is_empty() || line.trim().is_empty() {
        return beginning(text);
    }
    let stopped = line.floor_char_boundary(error.column());
    let start = line.floor_char_boundary(stopped.saturating_sub(MAX_EXCERPT_CHARS / 2));
    let before = if start > 0 { "…" } else { "" };
    format!("{before}{}", quoted(line[start..].trim()))
}

/// At most [`MAX_EXCERPT_CHARS`] characters in backticks; what a terminal would act on is escaped.
fn quoted(text: &str) -> String {
    let mut shown = String::from("`");
    let mut rest = text.trim_end().chars();
    for c in rest.by_ref().take(MAX_EXCERPT_CHARS) {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown.push('`');
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
