use super::*;

fn told(version: &str, product: Option<&str>) -> Option<String> {
    mismatch(&ApiVersion { version: version.to_owned(), product_version: product.map(str::to_owned) })
}

#[test]
fn the_same_series_is_no_mismatch() {
    assert_eq!(told("0.6.12", Some(OURS)), None);
    assert_eq!(told("0.6.12", Some(&format!("{}.99", series(OURS)))), None);
    assert_eq!(told("9.9.9", Some(OURS)), None, "the product counts where there is one");
}

#[test]
fn another_series_is_told() {
    insta::assert_snapshot!(told("0.6.12", Some("9.1.0")).unwrap().replace(OURS, "OURS"), @"this is bencher OURS, the server is 9.1.0: use the bencher that came with the server");
}

#[test]
fn another_product_goes_by_its_protocol() {
    assert_eq!(told("0.6.3", None), None);
    assert!(told("0.7.0", None).unwrap().contains("the server speaks 0.7.0"));
    assert!(told("odd", None).is_some());
}
