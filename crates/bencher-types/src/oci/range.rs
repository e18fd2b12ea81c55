//! Ranges of bytes, as a registry is told of them: the `Range` of a download (RFC 9110) and the `Content-Range` of a chunk (OCI distribution specification).

use std::ops::Range;

/// What part of a blob a download asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    All,
    Part(Range<u64>),
    /// Nothing of it is there.
    Unsatisfiable,
}

/// Reads a `Range` header for content of `size` bytes. A header that is not understood, or asks for several ranges, is passed over, as
/// the standard allows: the answer is then all of it. A range that ends before it begins is refused, which it allows too.
#[must_use]
pub fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(spec) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else { return Wanted::All };
    let Some((first, last)) = spec.split_once('-') else { return Wanted::All };
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        return match number(last) {
            None => Wanted::All,
            Some(suffix) if suffix == 0 || size == 0 => Wanted::Unsatisfiable,
            Some(suffix) => Wanted::Part(size.saturating_sub(suffix)..size),
        };
    }
    let (Some(first), last) = (number(first), if last.is_empty() { Some(u64::MAX) } else { number(last) }) else {
        return Wanted::All;
    };
    match last {
        Some(last) if last < first || first >= size => Wanted::Unsatisfiable,
        Some(last) => Wanted::Part(first..last.saturating_add(1).min(size)),
        None => Wanted::All,
    }
}

/// Where a chunk begins, and its length: `A-B` as the specification has it, or `bytes A-B/TOTAL` as HTTP has it.
#[must_use]
pub fn chunk(header: &str) -> Option<(u64, u64)> {
    let text = header.trim();
    let text = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches(['=', ' ']));
    let text = text.split_once('/').map_or(text, |(range, _)| range);
    let (first, last) = text.split_once('-')?;
    let (first, last) = (number(first.trim())?, number(last.trim())?);
    Some((first, last.checked_sub(first)?.checked_add(1)?))
}

/// Digits only: the standard library's parser also takes a plus sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
