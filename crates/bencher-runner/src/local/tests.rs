use std::path::PathBuf;

use super::{below, iteration_folder};

#[test]
fn collected_files_stay_below_their_folder() {
    assert_eq!(below("/a/b").expect("a path"), PathBuf::from("a/b"));
    assert_eq!(below("./a").expect("a path"), PathBuf::from("a"));
    for path in ["../a", "a/../../b", "/", "", "."] {
        assert!(below(path).is_err(), "{path}");
    }
}

#[test]
fn iterations_have_folders_of_their_own_where_there_are_several() {
    assert_eq!(iteration_folder("o".as_ref(), 1, 1), PathBuf::from("o"));
    assert_eq!(iteration_folder("o".as_ref(), 2, 3), PathBuf::from("o/2"));
}
