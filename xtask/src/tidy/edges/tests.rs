use super::*;

fn package(name: &str, dependency: &str, kind: Option<Kind>) -> Package {
    let path = dependency.starts_with("bencher-").then(|| format!("/checkout/crates/{dependency}"));
    Package { name: name.to_owned(), dependencies: vec![Dependency { name: dependency.to_owned(), kind, path }] }
}

#[track_caller]
fn check_one(name: &str, dependency: &str, kind: Option<Kind>, expected: Option<&str>) {
    let found = check(&[package(name, dependency, kind)]);
    assert_eq!(found.first().map(|violation| violation.message.as_str()), expected);
}

#[test]
fn an_edge_of_the_table_is_allowed() {
    check_one("bencher-api", "bencher-analysis", None, None);
    check_one("bencher-it", "bencher-runner", Some(Kind::Dev), None);
}

#[test]
fn an_edge_that_is_not_in_the_table_is_found() {
    check_one(
        "bencher-api",
        "bencher-runner",
        None,
        Some("must not depend on bencher-runner; it may use: bencher-types, bencher-analysis"),
    );
    check_one(
        "bencher-types",
        "bencher-oci",
        None,
        Some("must not depend on bencher-oci; it may use: no package of this workspace"),
    );
    check_one("xtask", "bencher-types", Some(Kind::Dev), Some("must not depend on bencher-types; it may use: private-postgres"));
}

#[test]
fn system_tests_use_products_only_as_tests() {
    check_one(
        "bencher-it",
        "bencher-api",
        None,
        Some("must not depend on bencher-api; it may use: no package of this workspace"),
    );
}

#[test]
fn a_build_script_uses_no_package_of_ours() {
    check_one(
        "bencher-runner",
        "bencher-init",
        Some(Kind::Build),
        Some("must not depend on bencher-init; it may use: bencher-types, bencher-oci, bencher-init"),
    );
}

#[test]
fn an_unknown_package_is_found() {
    check_one("bencher-new", "bencher-types", None, Some("is not in the table of edges; add it to xtask/src/tidy/edges.rs"));
}

#[test]
fn the_vocabulary_does_no_io() {
    check_one("bencher-types", "tokio", None, Some("is data and rules only and must not depend on tokio"));
    check_one("bencher-types", "tower-http", None, Some("is data and rules only and must not depend on tower-http"));
    check_one("bencher-types", "object_store", None, Some("is data and rules only and must not depend on object_store"));
    check_one("bencher-types", "serde", None, None);
    check_one("bencher-types", "tempfile", Some(Kind::Dev), None);
    check_one("bencher-runner", "tokio", None, None);
}
