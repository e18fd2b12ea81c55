use bencher_types::{ResourceName, Slug};

use super::{FILE_SIZE, all, built_in};

#[test]
fn every_built_in_has_the_slug_of_its_name() {
    for measure in all() {
        assert_eq!(Slug::from_name(measure.name), Some(Slug::new(measure.slug).unwrap()));
        ResourceName::new(measure.name).unwrap();
    }
}

#[test]
fn built_ins_are_found_by_slug_and_by_name() {
    assert_eq!(built_in("file-size"), Some(&FILE_SIZE));
    assert_eq!(built_in("File Size"), Some(&FILE_SIZE));
    assert_eq!(built_in("file_size"), None);
}

#[test]
fn measures_of_one_slug_are_one_measure() {
    for measure in all() {
        assert_eq!(built_in(measure.slug), Some(measure));
        assert_eq!(built_in(measure.name), Some(measure));
    }
}
