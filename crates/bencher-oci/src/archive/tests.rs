use super::*;

#[track_caller]
fn check(name: &str, folder: &str, expected: Option<&str>) {
    assert_eq!(normal(name.as_bytes(), folder.as_bytes()).as_deref(), expected.map(str::as_bytes), "{folder} {name}");
}

#[test]
fn names_mean_the_same_however_they_are_written() {
    check("manifest.json", "", Some("manifest.json"));
    check("./blobs//sha256/./x", "", Some("blobs/sha256/x"));
    check("/abs/x", "", Some("abs/x"));
    check("../b.tar", "a", Some("b.tar"));
    check("a/../b", "", Some("b"));
}

#[test]
fn names_that_lead_out_of_the_archive_mean_nothing() {
    check("../x", "", None);
    check("a/../../x", "", None);
    check("../../x", "a", None);
}
