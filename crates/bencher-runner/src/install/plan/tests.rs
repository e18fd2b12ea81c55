use std::env::consts::ARCH;

use super::{Name, kernels, programs, release};
use crate::install::version::Version;

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.replace("ARCH", ARCH)).collect()
}

#[test]
fn the_newest_supported_release_of_a_folder_is_taken() {
    let names = strings(&[
        "firecracker-v1.15.0-ARCH.tgz",
        "firecracker-v1.16.1-ARCH.tgz",
        "firecracker-v1.17.0-ARCH.tgz",
        "firecracker-v1.18.0-mips.tgz",
        "firecracker-v2.0.0-ARCH.tgz",
    ]);
    assert_eq!(programs(&names, None), release(Version(1, 17, 0)));
    assert_eq!(programs(&names, Some(Version(1, 16, 1))), release(Version(1, 16, 1)));
    assert_eq!(programs(&names, Some(Version(1, 19, 0))), []);
}

#[test]
fn loose_programs_are_taken_where_there_is_no_archive() {
    let found = programs(&strings(&["firecracker-v1.16.1-ARCH", "jailer", "jailer.debug"]), None);
    let found: Vec<_> = found.iter().map(|wanted| (wanted.name, wanted.version)).collect();
    assert_eq!(found, [(Name::Firecracker, Some(Version(1, 16, 1))), (Name::Jailer, None)]);
}

#[test]
fn kernels_are_told_from_what_lies_beside_them() {
    let names = strings(&["vmlinux", "vmlinux-6.1.141", "vmlinux-6.1.141.config", "vmlinux.debug", "vmlinuz-6.1", "vmlinuxes"]);
    assert_eq!(kernels(&names), ["vmlinux", "vmlinux-6.1.141"]);
}

#[test]
fn versions_are_read_as_people_and_programs_write_them() {
    assert_eq!("v1.16.1".parse(), Ok(Version(1, 16, 1)));
    assert_eq!("6.1".parse(), Ok(Version(6, 1, 0)));
    for text in ["", "1", "1.x", "1.2.3.4", "one"] {
        assert!(text.parse::<Version>().is_err(), "{text}");
    }
    assert_eq!(Version::find("Firecracker v1.16.1\n\nSupported snapshot data format versions: v6.0.0"), Some(Version(1, 16, 1)));
    assert_eq!(Version::find("Jailer v1.16.1-dirty"), Some(Version(1, 16, 1)));
    assert!(!Version(1, 16, 0).is_supported() && Version(1, 16, 1).is_supported() && !Version(2, 0, 0).is_supported());
}
