//! Errors as people read them: every cause after the one before, on one line.

use std::{error::Error, fmt::Write as _};

/// The text of an error and of all its sources. A source whose text the one before ends with already is not repeated.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let cause = source.to_string();
        if !text.ends_with(&cause) {
            let _ = write!(text, ": {cause}");
        }
        next = source.source();
    }
    text
}

/// A text of somebody else's on a terminal: no control characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
