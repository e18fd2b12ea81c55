use super::*;

#[test]
fn a_mirror_is_found_in_either_format() {
    let one_line = "# main\ndeb [signed-by=/usr/share/keyrings/k.gpg] http://mirror.example/debian bookworm main\n";
    assert_eq!(mirror_of(one_line).unwrap(), "http://mirror.example/debian");
    let fields = "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\n";
    assert_eq!(mirror_of(fields).unwrap(), "http://mirror.example/debian");
    assert_eq!(mirror_of("# nothing\n"), None);
}

#[test]
fn only_files_that_apt_itself_reads_are_sources() {
    let apt = tempfile::tempdir().unwrap();
    fs::create_dir(apt.path().join("sources.list.d")).unwrap();
    fs::write(apt.path().join("sources.list.d/old.list.disabled"), "deb http://wrong.example/ x main").unwrap();
    assert!(configured_mirror(apt.path()).is_err());
    fs::write(apt.path().join("sources.list.d/debian.sources"), "URIs: http://right.example/debian").unwrap();
    assert_eq!(configured_mirror(apt.path()).unwrap(), "http://right.example/debian");
}
