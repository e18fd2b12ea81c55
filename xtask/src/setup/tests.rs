use super::*;

#[test]
fn nothing_is_missing_where_everything_is_there() {
    assert!(missing(Need::Test, |_| true).is_empty());
}

#[test]
fn each_command_asks_only_for_its_own() {
    let packages = |need| missing(need, |_| false).iter().map(|requirement| requirement.package).collect::<Vec<_>>();
    assert!(packages(Need::Test).contains(&"postgresql"));
    assert!(!packages(Need::Demo).contains(&"postgresql"));
    assert_eq!(packages(Need::ChrootTest), ["debootstrap"]);
    assert!(packages(Need::Vmtest).contains(&"user-mode-linux"));
    assert!(!packages(Need::Vmtest).contains(&"postgresql"));
}

#[test]
fn a_package_is_listed_once() {
    let mut packages: Vec<_> = REQUIREMENTS.iter().map(|requirement| requirement.package).collect();
    packages.sort_unstable();
    packages.dedup();
    assert_eq!(packages.len(), REQUIREMENTS.len());
}

#[test]
fn what_is_missing_is_told_by_program_package_and_reason() {
    let missing = missing(Need::Test, |requirement| requirement.package != "skopeo");
    assert_eq!(list(&missing), "  the program `skopeo` (Debian: skopeo): a real client of the registry\n");
}

#[test]
fn a_program_with_an_interpreter_is_not_static() {
    // This test itself is linked against the C library.
    assert!(!is_static(&env::current_exe().unwrap()));
    assert!(!is_static(Path::new("/no/such/program")));
}

#[test]
fn a_program_without_an_interpreter_is_static() {
    let mut elf = vec![0; 64 + 56];
    elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
    elf[32] = 64; // the program headers follow the file header
    elf[54] = 56;
    elf[56] = 1;
    elf[64] = 1; // PT_LOAD
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &elf).unwrap();
    assert!(is_static(file.path()));
    elf[64] = 3; // PT_INTERP
    fs::write(file.path(), &elf).unwrap();
    assert!(!is_static(file.path()));
}
