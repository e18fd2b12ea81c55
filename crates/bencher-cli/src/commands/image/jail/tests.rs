use super::*;

fn words(jail: &Jail<'_>) -> Vec<String> {
    let command = jail.command("/bin/sh", &["-c", "make"]);
    command.get_args().map(|word| word.to_str().unwrap().to_owned()).collect()
}

#[test]
fn a_jail_has_no_network_unless_it_is_given_one_and_ends_with_who_started_it() {
    let with = |network| words(&Jail { root: Root::ThisMachine, network, writable: &[], dir: "/", env: &[] });
    assert!(!with(Network::None).contains(&"--share-net".to_owned()));
    assert!(with(Network::Shared).contains(&"--share-net".to_owned()));
    assert!(with(Network::Shared).contains(&"--die-with-parent".to_owned()));
}

#[test]
fn nothing_of_this_machine_is_writable_but_what_was_named() {
    let writable = [(Path::new("/clone"), "/src")];
    let words = words(&Jail { root: Root::ThisMachine, network: Network::None, writable: &writable, dir: "/src", env: &[] });
    let binds: Vec<_> = words.windows(3).filter(|three| three[0] == "--bind").collect();
    assert_eq!(binds, [["--bind", "/clone", "/src"]]);
    assert!(words.ends_with(&["--", "/bin/sh", "-c", "make"].map(str::to_owned)));
}
