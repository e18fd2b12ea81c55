use std::path::Path;

use proptest::prelude::*;

use super::{Name, Pin, is_relative, parse, write};

fn problem(text: &str) -> String {
    parse(Path::new("pins.toml"), text).expect_err("bad pins").to_string()
}

fn pin(more: &str) -> String {
    let hash = "A".repeat(64);
    format!("[[pin]]\nname = \"kernel\"\nversion = \"6.1.141\"\nfile = \"vmlinux-6.1.141\"\nsha256 = \"{hash}\"\n{more}")
}

#[test]
fn what_is_written_is_read_again() {
    let pins = vec![
        Pin { name: Name::Firecracker, version: "1.16.1".into(), file: "v1.16.1/f-x86_64.tgz".into(), sha256: "0".repeat(64) },
        Pin { name: Name::Kernel, version: "6.1".into(), file: "vmlinux".into(), sha256: "f".repeat(64) },
    ];
    assert_eq!(parse(Path::new("pins.toml"), &write(&pins)).expect("good pins"), pins);
    assert_eq!(parse(Path::new("pins.toml"), &pin("")).expect("good pins")[0].sha256, "a".repeat(64));
}

#[test]
fn mistakes_are_named_with_what_was_expected() {
    assert!(problem("").contains("has no [[pin]]"));
    assert!(problem("[[pin]]\nname = \"kernel\"\n").contains("line 1"));
    assert!(problem(&pin("size = 3\n")).contains("line 6"));
    assert!(problem(&pin("").repeat(2)).contains("has kernel twice"));
    assert!(problem(&pin("").replace("6.1.141\"\nfile", "six\"\nfile")).contains("`six` as the version of kernel"));
    assert!(problem(&pin("").replace("\"vmlinux-6.1.141\"", "\"../vmlinux\"")).contains("`../vmlinux` as the file"));
    assert!(problem(&pin("").replace("AAAA", "xyz")).contains("64 hexadecimal digits"));
    assert!(problem(&pin("").replace("kernel", "qemu")).contains("line"));
}

#[test]
fn only_files_below_the_source_can_be_named() {
    for file in ["a", "a/b-1.2_x.tgz", "..a", "a+b"] {
        assert!(is_relative(file), "{file}");
    }
    for file in ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a b", "a?b", "a#b", "a%2e", "http://x", "a\\b", "ä"] {
        assert!(!is_relative(file), "{file}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "\\PC*") {
        let _ = parse(Path::new("x"), &text);
    }
}
