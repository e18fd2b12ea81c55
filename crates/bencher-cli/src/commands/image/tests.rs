use super::*;

#[test]
fn every_name_has_a_folder_of_its_own_below_the_cache() {
    let folder = |image: &str| cache_folder(Path::new("/c"), None, &image.parse().unwrap()).display().to_string();
    assert_eq!(folder("shop"), "/c/shop@latest");
    assert_eq!(folder("shop/a:v1"), "/c/shop@a@v1");
    assert_ne!(folder("shop/a:v1"), folder("shop_a:v1"));
}
