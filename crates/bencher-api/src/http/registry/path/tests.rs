use bencher_types::Digest;
use proptest::prelude::*;

use super::{Target, percent_decode};

/// What a path names, in short.
fn describe(path: &str) -> String {
    match Target::parse(path) {
        Ok(Target::Base) => "base".to_owned(),
        Ok(Target::Catalog) => "catalog".to_owned(),
        Ok(Target::Blob { name, .. }) => format!("blob of {}", name.as_str()),
        Ok(Target::Uploads { name }) => format!("uploads of {}", name.as_str()),
        Ok(Target::Upload { name, .. }) => format!("upload of {}", name.as_str()),
        Ok(Target::Manifest { name, .. }) => format!("manifest of {}", name.as_str()),
        Ok(Target::Tags { name }) => format!("tags of {}", name.as_str()),
        Ok(Target::Referrers { name, .. }) => format!("referrers of {}", name.as_str()),
        Err(error) => error.code().to_owned(),
    }
}

fn digest() -> Digest {
    Digest::sha256(b"")
}

#[test]
fn each_path_names_one_thing() {
    let digest = digest();
    let upload = uuid::Uuid::nil();
    for (path, expected) in [
        (String::new(), "base"),
        ("/".to_owned(), "base"),
        ("/_catalog".to_owned(), "catalog"),
        (format!("/shop/blobs/{digest}"), "blob of shop"),
        ("/shop/blobs/uploads".to_owned(), "uploads of shop"),
        (format!("/shop/blobs/uploads/{upload}"), "upload of shop"),
        ("/shop/manifests/v1".to_owned(), "manifest of shop"),
        (format!("/shop/manifests/{digest}"), "manifest of shop"),
        ("/shop/tags/list".to_owned(), "tags of shop"),
        (format!("/shop/referrers/{digest}"), "referrers of shop"),
    ] {
        assert_eq!(describe(&path), expected, "{path}");
    }
}

#[test]
fn repositories_may_have_folders_called_like_words_of_the_api() {
    let digest = digest();
    for (path, expected) in [
        (format!("/shop/blobs/uploads/blobs/{digest}"), "blob of shop/blobs/uploads"),
        ("/shop/tags/list/manifests/v1".to_owned(), "manifest of shop/tags/list"),
        ("/shop/manifests/tags/list".to_owned(), "tags of shop/manifests"),
        ("/shop/manifests/manifests/list".to_owned(), "manifest of shop/manifests"),
    ] {
        assert_eq!(describe(&path), expected, "{path}");
    }
}

#[test]
fn what_is_wrong_with_a_path_is_told_by_its_code() {
    for (path, expected) in [
        ("/shop", "UNSUPPORTED"),
        ("/shop/_catalog", "UNSUPPORTED"),
        ("/_catalog/tags/list", "NAME_INVALID"),
        ("/shop/blobs/sha256:12", "DIGEST_INVALID"),
        ("/shop/blobs/latest", "DIGEST_INVALID"),
        ("/shop/manifests/.hidden", "TAG_INVALID"),
        ("/Shop/manifests/v1", "NAME_INVALID"),
        ("/manifests/v1", "NAME_INVALID"),
        ("/shop/blobs/uploads/12", "BLOB_UPLOAD_UNKNOWN"),
    ] {
        assert_eq!(describe(path), expected, "{path}");
    }
}

#[test]
fn an_encoded_colon_is_a_colon() {
    assert_eq!(percent_decode("/shop/blobs/sha256%3Aab").as_deref(), Some("/shop/blobs/sha256:ab"));
    for text in ["%", "%4", "%zz", "%ff", "%+1"] {
        assert_eq!(percent_decode(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn no_path_is_too_odd_for_the_parser(path in "(/?([a-z0-9:._%-]{0,8}|blobs|uploads|manifests|tags|list|referrers)){0,8}") {
        if let Some(decoded) = percent_decode(&path) {
            let _ = Target::parse(&decoded);
        }
    }

    #[test]
    fn any_repository_name_comes_back(name in "[a-z]{1,4}(/(blobs|uploads|tags|list|manifests|referrers|[a-z]{1,4})){0,5}") {
        let digest = digest();
        prop_assert_eq!(describe(&format!("/{name}/blobs/{digest}")), format!("blob of {name}"));
        prop_assert_eq!(describe(&format!("/{name}/tags/list")), format!("tags of {name}"));
        prop_assert_eq!(describe(&format!("/{name}/blobs/uploads")), format!("uploads of {name}"));
        prop_assert_eq!(describe(&format!("/{name}/manifests/latest")), format!("manifest of {name}"));
    }
}
