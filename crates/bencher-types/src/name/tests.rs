use proptest::prelude::*;

use super::*;

fn valid_branch(text: &str) -> bool {
    BranchName::new(text).is_ok()
}

#[test]
fn slugs_are_lower_case_words_joined_by_single_hyphens() {
    for good in ["a", "save-walter-white", "v1", "1"] {
        assert!(Slug::new(good).is_ok(), "{good}");
    }
    for bad in ["", "-a", "a-", "a--b", "A", "a_b", "ä", &"a".repeat(65)] {
        assert!(Slug::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn branch_names_follow_git() {
    for good in ["main", "feature/x", "release-1.2", "user@host", "ä"] {
        assert!(valid_branch(good), "{good}");
    }
    for bad in ["", "a..b", "a b", "/a", "a/", "a.lock", ".a", "a/.b", "@", "a@{b", "a:b", "a\\b", "a//b"] {
        assert!(!valid_branch(bad), "{bad}");
    }
}

#[test]
fn an_invalid_name_says_what_was_expected_and_what_was_found() {
    let error = Slug::new("Not A Slug").unwrap_err().to_string();
    assert_eq!(
        error,
        "`Not A Slug` is not a valid slug: expected 1 to 64 lower-case letters and digits, with single hyphens between them"
    );
}

#[test]
fn a_name_id_prefers_the_uuid_then_the_slug() {
    assert!(matches!("6e1d3a1e-1f6b-4f5a-8f0e-1f0a2a3b4c5d".parse(), Ok(NameId::Uuid(_))));
    assert!(matches!("main".parse(), Ok(NameId::Slug(_))));
    assert!(matches!("feature/x".parse(), Ok(NameId::Name(_))));
}

#[test]
fn no_name_has_a_nul() {
    assert!(ResourceName::new("a\0b").is_err());
    assert!(UserName::new("a\0b").is_err());
    assert!(BenchmarkName::new("a\0b").is_err());
}

proptest! {
    #[test]
    fn a_slug_made_from_any_name_is_valid(name in ".{0,200}") {
        if let Some(slug) = Slug::from_name(&name) {
            prop_assert!(Slug::new(slug.as_str()).is_ok());
            prop_assert!(Slug::new(slug.with_suffix("1a2b3c").as_str()).is_ok());
        }
    }
}
