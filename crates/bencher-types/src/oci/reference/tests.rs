use proptest::prelude::*;

use super::ImageRef;

fn check(text: &str, host: Option<&str>, repository: &str, reference: &str) {
    let image: ImageRef = text.parse().expect(text);
    assert_eq!((image.host(), image.repository(), image.manifest_reference().as_str()), (host, repository, reference), "{text}");
    assert_eq!(image.to_string(), text);
}

#[test]
fn references_split_into_host_repository_and_tag() {
    let digest = format!("sha256:{}", "a".repeat(64));
    check("shop", None, "shop", "latest");
    check("shop:v1", None, "shop", "v1");
    check("shop/bench/http:v1", None, "shop/bench/http", "v1");
    check("localhost:6610/shop:v1", Some("localhost:6610"), "shop", "v1");
    check("localhost/shop", Some("localhost"), "shop", "latest");
    check("[::1]:6610/shop", Some("[::1]:6610"), "shop", "latest");
    check("registry.example.com/shop", Some("registry.example.com"), "shop", "latest");
    check(&format!("shop@{digest}"), None, "shop", &digest);
    check(&format!("shop:v1@{digest}"), None, "shop", &digest);
}

#[test]
fn what_is_no_reference_is_refused_with_the_reason() {
    for (text, problem) in [
        ("", "the name must be"),
        ("Shop", "the name must be"),
        ("shop/", "the name must be"),
        ("shop/../etc", "the name must be"),
        ("shop--x/-y", "the name must be"),
        ("shop:", "the tag must be"),
        ("shop:.hidden", "the tag must be"),
        ("shop@sha256:abc", "what follows the @"),
        ("host:port/shop", "the host is not"),
    ] {
        let error = text.parse::<ImageRef>().unwrap_err().to_string();
        assert!(error.contains(problem), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics_and_what_parses_prints_as_it_was(text in "[a-zA-Z0-9:/@._\\-\\[\\]]{0,60}") {
        if let Ok(image) = text.parse::<ImageRef>() {
            prop_assert_eq!(image.to_string(), text);
        }
    }
}
