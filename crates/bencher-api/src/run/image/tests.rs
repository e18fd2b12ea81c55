use bencher_types::wire::spec::Architecture;

use super::{Platform, platforms_without};

fn check(platforms: &[(&str, &str)], expected: Option<&str>) {
    let platforms: Vec<Platform> =
        platforms.iter().map(|(os, arch)| Platform { os: (*os).to_owned(), architecture: (*arch).to_owned() }).collect();
    assert_eq!(platforms_without(&platforms, Architecture::X86_64).as_deref(), expected, "{platforms:?}");
}

#[test]
fn an_image_without_the_architecture_is_told_apart() {
    check(&[("linux", "arm64"), ("windows", "amd64")], Some("linux/arm64, windows/amd64"));
}

#[test]
fn an_image_with_the_architecture_is_taken() {
    check(&[("linux", "arm64"), ("linux", "amd64")], None);
}

#[test]
fn an_image_that_says_nothing_of_a_platform_is_taken() {
    check(&[], None);
}
