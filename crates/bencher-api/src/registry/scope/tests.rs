use proptest::prelude::*;

use super::{Scope, access_of, allows, asks_for_catalog};
use crate::token::OciAction;

fn check(text: &str, expected: Option<&str>) {
    assert_eq!(Scope::parse(text).map(|scope| scope.to_string()).as_deref(), expected, "{text}");
}

#[test]
fn pull_and_push_are_read_in_any_order() {
    check("repository:shop/web:pull", Some("repository:shop/web:pull"));
    check("repository:shop/web:push,pull", Some("repository:shop/web:pull,push"));
    check("repository(plugin):shop:pull", Some("repository:shop:pull"));
}

#[test]
fn deleting_is_pushing_and_a_star_is_everything() {
    check("repository:shop:delete", Some("repository:shop:push"));
    check("repository:shop:*", Some("repository:shop:pull,push"));
}

#[test]
fn what_cannot_be_granted_is_left_out() {
    check("repository:shop:pull,fly", Some("repository:shop:pull"));
    for text in ["", "repository", "repository:shop", "repository:shop:fly", "registry:catalog:*", "repository:Shop:pull"] {
        check(text, None);
    }
}

#[test]
fn scopes_of_one_repository_are_united() {
    let scopes = Scope::parse_all(["repository:shop:pull repository:lib:pull", "repository:shop:push"]);
    let texts: Vec<String> = scopes.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["repository:shop:pull,push", "repository:lib:pull"]);
}

#[test]
fn a_token_allows_what_its_scopes_say_and_no_more() {
    let access = access_of(Scope::parse_all(["repository:shop:pull,push repository:lib:pull"]), false).unwrap();
    let allowed = |name: &str, action| allows(&access, &[name.to_owned()], action);
    assert!(allowed("shop", OciAction::Push));
    assert!(allowed("lib", OciAction::Pull));
    assert!(!allowed("lib", OciAction::Push));
    assert!(!allowed("shop/web", OciAction::Pull));
    assert!(!access.catalog);
}

#[test]
fn the_list_of_all_repositories_is_a_scope_of_its_own() {
    assert!(asks_for_catalog(["repository:shop:pull registry:catalog:*"]));
    assert!(!asks_for_catalog(["registry:catalog:pull", "repository:registry/catalog:*"]));
    let access = access_of(Vec::new(), true).unwrap();
    assert!(access.catalog && !allows(&access, &["shop".to_owned()], OciAction::Pull));
    assert_eq!(access_of(Vec::new(), false), None);
}

proptest! {
    #[test]
    fn no_text_is_too_odd_for_the_parser(text in "\\PC{0,60}") {
        if let Some(scope) = Scope::parse(&text) {
            prop_assert_eq!(Scope::parse(&scope.to_string()), Some(scope));
        }
    }

    #[test]
    fn a_scope_that_is_written_is_read_again(name in "[a-z]{1,5}(/[a-z0-9]{1,5}){0,3}", push: bool) {
        let text = format!("repository:{name}:pull{}", if push { ",push" } else { "" });
        prop_assert_eq!(Scope::parse(&text).unwrap().to_string(), text);
    }
}
