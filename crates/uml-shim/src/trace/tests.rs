use super::*;

/// As the host tells of a process that was stopped by a signal.
fn stopped_by(signal: c_int) -> c_int {
    (signal << 8) | 0x7f
}

#[test]
fn a_driven_process_that_was_stopped_from_outside_is_sent_on_as_before() {
    resumed(1001, libc::PTRACE_SYSEMU);
    assert_eq!(after_stop(1001, stopped_by(libc::SIGSTOP)), Some(libc::PTRACE_SYSEMU));
    assert_eq!(after_stop(1001, stopped_by(libc::SIGCONT)), Some(libc::PTRACE_SYSEMU));
}

#[test]
fn other_stops_are_the_kernels_business() {
    resumed(1002, libc::PTRACE_SYSEMU);
    assert_eq!(after_stop(1002, stopped_by(libc::SIGTRAP)), None);
    assert_eq!(after_stop(1002, stopped_by(libc::SIGSEGV)), None);
}

#[test]
fn a_process_that_never_ran_is_left_in_its_first_stop() {
    assert_eq!(after_stop(1003, stopped_by(libc::SIGSTOP)), None);
}

#[test]
fn a_process_that_ended_is_forgotten() {
    resumed(1004, libc::PTRACE_SYSCALL);
    assert_eq!(after_stop(1004, 0), None);
    assert_eq!(after_stop(1004, stopped_by(libc::SIGSTOP)), None);
}

#[test]
fn the_whole_state_keeps_what_was_given_and_drops_unknown_components() {
    let mut part = vec![7; 2696];
    part[COMPONENTS_AT..COMPONENTS_AT + 8].copy_from_slice(&u64::MAX.to_ne_bytes());
    let mut whole = WholeState::zeros();
    whole.set(&part);
    let whole = whole.bytes();
    assert_eq!(whole[..COMPONENTS_AT], part[..COMPONENTS_AT]);
    assert_eq!(whole[COMPONENTS_AT..COMPONENTS_AT + 8], KNOWN_COMPONENTS.to_ne_bytes());
    assert_eq!(whole[COMPONENTS_AT + 8..2696], part[COMPONENTS_AT + 8..]);
    assert!(whole[2696..].iter().all(|byte| *byte == 0));
}

#[test]
fn only_what_runs_guest_code_counts_as_driving() {
    assert!(is_resume(libc::PTRACE_SYSEMU) && is_resume(libc::PTRACE_SYSCALL));
    assert!(!is_resume(libc::PTRACE_GETREGS));
}

#[test]
fn only_the_extended_state_is_ever_too_small() {
    assert!(is_set_state(libc::PTRACE_SETREGSET, EXTENDED_STATE));
    assert!(!is_set_state(libc::PTRACE_SETREGSET, 1));
    assert!(!is_set_state(libc::PTRACE_GETREGSET, EXTENDED_STATE));
}
