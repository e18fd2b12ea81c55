//! Conditional requests (RFC 9110, section 13) for content that is named by its digest, which is its entity tag too.

use http::{HeaderMap, HeaderName, header};

/// What the conditions of a `GET` or `HEAD` come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Answer as if there were none.
    Holds,
    /// The client has it already.
    NotModified,
    /// The client wants another one.
    Failed,
}

/// Weighs the conditions of a request against the entity tag of what it asks for. Times are passed over: there are none.
pub(super) fn weigh(headers: &HeaderMap, etag: &str) -> Condition {
    if headers.contains_key(header::IF_MATCH) && !names(headers, header::IF_MATCH, |tag| tag == etag) {
        return Condition::Failed;
    }
    // A weak tag of the same content is as good, since content never changes.
    if names(headers, header::IF_NONE_MATCH, |tag| tag.strip_prefix("W/").unwrap_or(tag) == etag) {
        return Condition::NotModified;
    }
    Condition::Holds
}

/// Whether a range is wanted of this content, or of any.
pub(super) fn range_applies(headers: &HeaderMap, etag: &str) -> bool {
    headers.get(header::IF_RANGE).is_none_or(|value| value.as_bytes() == etag.as_bytes())
}

/// Whether a list of entity tags, possibly over several headers, has one that fits, or is the star that fits everything.
fn names(headers: &HeaderMap, name: HeaderName, fits: impl Fn(&str) -> bool) -> bool {
    let lists = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    // Tags of digests have no comma.
    lists.flat_map(|list| list.split(',')).map(str::trim).any(|tag| tag == "*" || fits(tag))
}

#[cfg(test)]
mod tests;
