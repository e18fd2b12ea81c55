//! The program, on a machine that is no guest.

use std::process::Command;

#[test]
fn it_does_nothing_where_it_is_not_the_first_process() {
    let output = Command::new(env!("CARGO_BIN_EXE_bencher-init")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "bencher-init is the first process of a microVM and does nothing elsewhere\n"
    );
}
