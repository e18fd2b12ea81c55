use super::*;

#[track_caller]
fn check(text: &str, expected: &str) {
    let found = match text.parse::<Place>() {
        Ok(place) => format!("{place:?}").split([' ', '(']).next().unwrap_or_default().to_owned() + " " + &place.to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn every_kind_of_place_is_told_by_how_it_begins() {
    check("shop:v1", "Registry shop:v1");
    check("shop/a/b", "Registry shop/a/b");
    check("quay.io/a/b:v1", "Registry quay.io/a/b:v1");
    check("docker://quay.io/a:v1", "Registry quay.io/a:v1");
    check("http://localhost:5000/a", "Registry localhost:5000/a");
    check("oci:dir", "Layout oci:dir");
    check("oci:/a/b:shop:v1", "Layout oci:/a/b:shop:v1");
    check("oci-archive:a.tar:v1", "Archive oci-archive:a.tar:v1");
    check("docker-archive:a.tar", "Archive docker-archive:a.tar");
    check("./a.tar", "Path ./a.tar");
    check("/a", "Path /a");
    check("engine:localhost/a:v1", "Engine engine:localhost/a:v1");
    check("docker-daemon:a", "Engine engine:a");
    check("-", "Standard the archive on standard input or output");
}

#[test]
fn what_names_nothing_is_told_with_what_is_expected() {
    check("oci:", "`oci:` names nothing: expected oci:DIR or oci:DIR:NAME");
    check("engine:", "`engine:` names nothing: expected engine:NAME");
    check("docker://shop:v1", "`docker://` names no registry: expected docker://HOST/NAME:TAG");
    assert!("Shop:v1".parse::<Place>().unwrap_err().to_string().contains("not an image reference"));
}

#[test]
fn a_plain_word_is_a_path_where_something_of_this_machine_is_wanted() {
    let local = |text: &str| text.parse::<LocalPlace>().unwrap().0;
    assert_eq!(local("images"), Place::Path("images".into()));
    assert_eq!(local("Image File.tar"), Place::Path("Image File.tar".into()));
    assert_eq!(local("-"), Place::Standard);
    assert!(matches!(local("quay.io/a:v1"), Place::Registry { .. }));
}
