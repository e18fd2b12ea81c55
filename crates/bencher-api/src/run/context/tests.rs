use super::{Context, Origin};

fn origin(pairs: &[(&str, &str)]) -> Option<Origin> {
    let pairs = pairs.iter().map(|(key, value)| (format!("bencher.dev/v0{key}"), (*value).to_owned()));
    Context::new(pairs.collect()).origin()
}

#[test]
fn the_same_place_is_always_called_the_same() {
    let here = [("/repo/name", "My Tool"), ("/repo/hash", "abc"), ("/testbed/fingerprint", "xyz")];
    let slug = origin(&here).unwrap().slug.unwrap();
    // Projects that are out there are found by it: it must not change.
    assert_eq!(slug.as_str(), "my-tool-a229a92af920");
    assert_eq!(origin(&here).unwrap().slug, Some(slug));
}

#[test]
fn another_repository_or_machine_is_called_something_else() {
    let slug = |name, hash, machine| {
        origin(&[("/repo/name", name), ("/repo/hash", hash), ("/testbed/fingerprint", machine)]).unwrap().slug.unwrap()
    };
    let all = [
        slug("a", "b", "c"),
        slug("a", "b", "d"),
        slug("a", "d", "c"),
        slug("d", "b", "c"),
        slug("a", "bc", ""),
        slug("a", "", "bc"),
    ];
    for (number, one) in all.iter().enumerate() {
        assert!(!all[..number].contains(one), "{one}");
    }
    assert!(slug("!!!", "b", "c").as_str().starts_with("project-"));
    assert!(slug(&"x".repeat(64), "b", "c").as_str().len() <= 64);
}

#[test]
fn a_name_alone_says_too_little() {
    assert_eq!(origin(&[("/repo/name", "a")]).unwrap().slug, None);
    assert_eq!(origin(&[("/repo/name", "a"), ("/repo/hash", "")]).unwrap().slug, None);
    assert_eq!(origin(&[("/repo/hash", "a")]), None);
}
