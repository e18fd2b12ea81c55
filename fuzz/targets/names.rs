//! Target `names`: any text to the parsers of names, digests and image references. What one accepts must be written and read
//! back the same, and hold what its documentation promises.

use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

use bencher_types::{
    BranchName, DateTime, Digest, Email, GitHash, ImageRef, NameId, ResourceId, ResourceName, Slug, oci::reference,
};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(image) = same_again::<ImageRef>(text) {
        assert!(reference::is_repository_name(image.repository()));
        assert!(image.tag().is_none_or(reference::is_tag));
        assert!(image.repository().starts_with(image.project()));
        assert!(!image.manifest_reference().is_empty());
    }
    if let Some(digest) = same_again::<Digest>(text) {
        assert!(digest.hex().bytes().all(|byte| byte.is_ascii_hexdigit()), "the digits are a file name");
    }
    if let Some(slug) = same_again::<Slug>(text) {
        assert_eq!(Slug::from_name(slug.as_str()).as_ref(), Some(&slug), "a slug is its own slug");
        check_slug(&slug.with_suffix("0123abcd"));
    }
    if let Some(slug) = Slug::from_name(text) {
        check_slug(&slug);
        check_slug(&slug.with_suffix("0123abcd"));
    }
    if let Some(branch) = same_again::<BranchName>(text) {
        assert!(!branch.as_str().contains(char::is_control));
    }
    same_again::<ResourceId>(text);
    same_again::<NameId>(text);
    same_again::<ResourceName>(text);
    same_again::<Email>(text);
    same_again::<GitHash>(text);
    if let Ok(time) = serde_json::from_value::<DateTime>(text.into()) {
        same_json(&time);
        assert_eq!(DateTime::from_micros(time.as_micros()), Ok(time), "a time changes on its way through the database");
        assert_eq!(text.parse().ok(), Some(time), "a time is another one in JSON");
    }
}

fn check_slug(slug: &Slug) {
    assert_eq!(Slug::new(slug.as_str()).as_ref(), Ok(slug), "made by us, refused by us");
}

/// Parses a text; its own text parses to the same, and so does its JSON.
fn same_again<T>(text: &str) -> Option<T>
where
    T: FromStr + Display + Debug + PartialEq + Serialize + DeserializeOwned,
    T::Err: Display,
{
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            let again = written.parse::<T>().unwrap_or_else(|error| panic!("{written:?} of {text:?} is refused: {error}"));
            assert_eq!(again, value);
            same_json(&value);
            Some(value)
        }
        Err(error) => {
            assert!(error.to_string().len() <= 2048, "a message of {} bytes", error.to_string().len());
            None
        }
    }
}

fn same_json<T: Debug + PartialEq + Serialize + DeserializeOwned>(value: &T) {
    let json = serde_json::to_string(value).unwrap_or_else(|error| panic!("{value:?} cannot be written: {error}"));
    let again: T = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{json} is refused: {error}"));
    assert_eq!(&again, value);
}
