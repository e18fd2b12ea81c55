use super::RepositoryName;

fn check(text: &str, expected: Option<(&str, &str)>) {
    let name: Option<RepositoryName> = text.parse().ok();
    assert_eq!(name.as_ref().map(|name| (name.project_segment(), name.rest())), expected, "{text}");
}

#[test]
fn a_lone_segment_is_the_project_itself() {
    check("shop", Some(("shop", "")));
    check("0195a0b4-5f0d-7d8c-9a55-0c1e2f3a4b5c", Some(("0195a0b4-5f0d-7d8c-9a55-0c1e2f3a4b5c", "")));
}

#[test]
fn a_repository_may_be_any_number_of_folders_deep() {
    check("shop/web", Some(("shop", "web")));
    check("shop/a/b/c/d", Some(("shop", "a/b/c/d")));
    check("shop/blobs/uploads", Some(("shop", "blobs/uploads")));
}

#[test]
fn what_no_registry_takes_is_refused() {
    for text in ["", "/", "shop/", "/shop", "shop//web", "Shop", "shop/..", "shop/-a", "shop:v1", "sh_op/web"] {
        check(text, None);
    }
}
