use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
};

use bencher_init::{
    GuestConfig,
    config::{Bounds, FileContents, Resource, Rlimit, Token},
    frame,
};
use serde::{Deserialize, Serialize};

use super::*;
use crate::tests::first_process;

const MIB: u64 = 1024 * 1024;
/// For waits that end by themselves, in milliseconds.
const LONG: u64 = 60_000;
/// For waits that are waited for.
const SHORT: u64 = 50;

/// What a test looks at.
#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    exit: GuestExit,
    stdout: String,
    stderr: String,
    stdout_total: u64,
    stdout_kept: u64,
    host_is_gone: bool,
    wall_ms: u128,
}

fn config(args: &[&str], grace_period_ms: u64) -> GuestConfig {
    GuestConfig {
        version: bencher_init::PROTOCOL_VERSION,
        token: Token([0; 16]),
        hostname: "bencher".to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("COLOUR".to_owned(), "blue green".to_owned())],
        working_dir: "/".to_owned(),
        user: None,
        rlimits: Vec::new(),
        max_pids: None,
        bounds: Bounds { max_output_size: MIB, max_files_size: MIB, max_file_count: 10, max_symlinks: 10 },
        file_paths: Vec::new(),
        file_contents: FileContents::Read,
        grace_period_ms,
        live: false,
        network: None,
    }
}

fn shell(script: &str, grace_period_ms: u64) -> GuestConfig {
    config(&["sh", "-c", script], grace_period_ms)
}

/// Runs it as a guest would, with `host` at the other end of the control connection.
fn with_host(config: &GuestConfig, host: impl FnOnce(UnixStream)) -> Option<Result<Seen, GuestFailure>> {
    let act = |control: UnixStream| {
        let signals = Signals::take().unwrap();
        let mut host = Host::over(File::from(OwnedFd::from(control)));
        let launch = Launch::prepare(config)?;
        let left = run(&launch, 7, Duration::from_millis(config.grace_period_ms), &mut host, &signals)?;
        let text = |stream: &Captured| String::from_utf8_lossy(&stream.chunks.concat()).into_owned();
        Ok(Seen {
            exit: left.exit,
            stdout: if left.stdout.kept() < 10_000 { text(&left.stdout) } else { String::new() },
            stderr: text(&left.stderr),
            stdout_total: left.stdout.total,
            stdout_kept: left.stdout.kept(),
            host_is_gone: left.host_is_gone,
            wall_ms: u128::from(left.wall_ns / 1_000_000),
        })
    };
    first_process::run(act, host)
}

/// Runs it without a word from the host.
fn run_alone(config: &GuestConfig) -> Option<Seen> {
    // The connection lives until the guest closes it.
    let silent = |mut control: UnixStream| drop(control.read_to_end(&mut Vec::new()));
    with_host(config, silent).map(|seen| seen.unwrap())
}

/// Waits for the sign that a script gives in its folder, then sends this order, and stays.
fn order_after(sign: &Path, order: ToGuest) -> impl FnOnce(UnixStream) {
    move |mut control| {
        assert!(clock::wait_until(Duration::from_secs(30), Duration::from_millis(5), || sign.exists()), "no sign came");
        frame::write(&mut control, &order).unwrap();
        drop(control.read_to_end(&mut Vec::new()));
    }
}

fn check(script: &str, exit: GuestExit, stdout: &str) {
    let Some(seen) = run_alone(&shell(script, LONG)) else { return };
    assert_eq!((seen.exit, seen.stdout.as_str()), (exit, stdout), "{script}: {seen:?}");
}

fn check_failure(config: &GuestConfig, expected: &str) {
    let Some(seen) = with_host(config, drop) else { return };
    assert_eq!(seen.unwrap_err().to_string(), expected);
}

#[test]
fn the_exit_code_and_both_streams_are_delivered() {
    let Some(seen) = run_alone(&shell("echo out; echo err >&2; exit 3", LONG)) else { return };
    assert_eq!((seen.exit, seen.stdout.as_str(), seen.stderr.as_str()), (GuestExit::Code(3), "out\n", "err\n"));
}

#[test]
fn a_signal_is_told_from_an_exit_code() {
    check("kill -9 $$", GuestExit::Signal(9), "");
    check("exit 137", GuestExit::Code(137), "");
}

#[test]
fn a_flood_is_counted_and_its_beginning_kept() {
    let Some(seen) = run_alone(&shell("head -c 1073741824 /dev/zero", LONG)) else { return };
    assert_eq!((seen.exit, seen.stdout_total, seen.stdout_kept), (GuestExit::Code(0), 1024 * MIB, MIB));
}

#[test]
fn a_benchmark_inherits_nothing() {
    check("ls /proc/self/fd | tr '\\n' ' '", GuestExit::Code(0), "0 1 2 3 ");
    check("readlink /proc/self/fd/0", GuestExit::Code(0), "/dev/null\n");
    check("grep ^SigBlk /proc/self/status", GuestExit::Code(0), "SigBlk:\t0000000000000000\n");
    check("kill -PIPE $$; echo ignored", GuestExit::Signal(13), "");
    check("env | sort", GuestExit::Code(0), "COLOUR=blue green\nHOME=/root\nPATH=/usr/bin:/bin\nPWD=/\n");
}

#[test]
fn a_benchmark_has_a_session_of_its_own() {
    check("ps -o pid=,sid=,pgid= -p $$ | awk '{ print ($1 == $2 && $2 == $3) }'", GuestExit::Code(0), "1\n");
}

#[test]
fn orphans_are_waited_for_while_they_write() {
    check("(sh -c 'sleep 0.2; echo late' &); echo early", GuestExit::Code(0), "early\nlate\n");
}

#[test]
fn orphans_that_stay_are_killed_after_the_grace_period() {
    let Some(seen) = run_alone(&shell("(setsid sleep 1000 &); echo done; exit 4", SHORT)) else { return };
    assert_eq!((seen.exit, seen.stdout.as_str()), (GuestExit::Code(4), "done\n"));
}

#[test]
fn many_orphans_are_reaped_while_the_benchmark_runs() {
    let script = "for i in 1 2 3 4 5 6 7 8 9; do (sh -c 'sleep 0.05' &); done; while pgrep -x sleep > /dev/null; do :; done; \
        sleep 0.1; ps -o stat= -e | grep -c Z";
    check(script, GuestExit::Code(1), "0\n");
}

#[test]
fn a_benchmark_may_close_its_streams_and_go_on() {
    check("echo first; exec >&- 2>&-; sleep 0.1; exit 6", GuestExit::Code(6), "first\n");
}

#[test]
fn a_pipe_that_an_orphan_keeps_open_holds_nothing_up() {
    let Some(seen) = run_alone(&shell("(sh -c 'while :; do echo x; done' &); exit 0", SHORT)) else { return };
    assert_eq!(seen.exit, GuestExit::Code(0));
    assert!(seen.stdout_total > 0);
}

#[test]
fn a_stopped_benchmark_may_end_by_itself_and_its_output_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let sign = dir.path().join("ready");
    let script = format!("trap 'echo bye; exit 7' TERM; echo here; touch {}; while :; do sleep 0.01; done", sign.display());
    let Some(seen) = with_host(&shell(&script, LONG), order_after(&sign, ToGuest::Stop)) else { return };
    let seen = seen.unwrap();
    assert_eq!((seen.exit, seen.stdout.as_str()), (GuestExit::Code(7), "here\nbye\n"));
}

#[test]
fn a_stopped_benchmark_that_ignores_it_is_killed_with_all_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let sign = dir.path().join("ready");
    let script = format!("trap '' TERM; (setsid sleep 1000 &); echo here; touch {}; while :; do sleep 1; done", sign.display());
    let Some(seen) = with_host(&shell(&script, SHORT), order_after(&sign, ToGuest::Stop)) else { return };
    let seen = seen.unwrap();
    assert_eq!((seen.exit, seen.stdout.as_str()), (GuestExit::Signal(9), "here\n"));
}

#[test]
fn the_end_of_the_connection_ends_the_benchmark() {
    let dir = tempfile::tempdir().unwrap();
    let sign = dir.path().join("ready");
    let hang_up = |control| {
        assert!(clock::wait_until(Duration::from_secs(30), Duration::from_millis(5), || sign.exists()), "no sign came");
        drop::<UnixStream>(control);
    };
    let Some(seen) = with_host(&shell(&format!("touch {}; sleep 1000", sign.display()), LONG), hang_up) else { return };
    let seen = seen.unwrap();
    assert_eq!((seen.exit, seen.host_is_gone), (GuestExit::Signal(9), true));
}

#[test]
fn an_order_that_makes_no_sense_ends_the_benchmark() {
    for order in [ToGuest::Finish, ToGuest::Run { run: 8 }] {
        let confused = move |mut control: UnixStream| {
            frame::write(&mut control, &order).unwrap();
            drop(control.read_to_end(&mut Vec::new()));
        };
        let Some(seen) = with_host(&shell("sleep 1000", LONG), confused) else { return };
        assert!(seen.unwrap().host_is_gone, "{order:?}");
    }
}

#[test]
fn half_a_message_from_the_host_is_no_order() {
    let half = |mut control: UnixStream| control.write_all(&[9, 0, 0, 0, b'{']).unwrap();
    let Some(seen) = with_host(&shell("sleep 1000", LONG), half) else { return };
    assert!(seen.unwrap().host_is_gone);
}

#[test]
fn the_host_is_told_when_the_benchmark_starts() {
    let started = |mut control: UnixStream| {
        let told: FromGuest = frame::read(&mut control).unwrap().unwrap();
        assert!(matches!(told, FromGuest::Started { run: 7, .. }), "{told:?}");
        drop(control.read_to_end(&mut Vec::new()));
    };
    let Some(seen) = with_host(&shell("sleep 0.2", LONG), started) else { return };
    assert!(seen.unwrap().wall_ms >= 200);
}

#[test]
fn a_user_by_number_has_its_groups_its_home_and_its_streams() {
    let mut config = shell("id -u; id -g; id -G; echo $HOME; echo written > /dev/stdout; ulimit -n", LONG);
    config.user = Some("4242:4343".to_owned());
    config.rlimits = vec![Rlimit { resource: Resource::Nofile, soft: 512, hard: 1024 }];
    let Some(seen) = run_alone(&config) else { return };
    assert_eq!(seen.stdout, "4242\n4343\n4343\n/\nwritten\n512\n", "{}", seen.stderr);
}

#[test]
fn the_working_directory_is_made_where_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = shell("pwd", LONG);
    config.working_dir = dir.path().join("a/b").display().to_string();
    let Some(seen) = run_alone(&config) else { return };
    assert_eq!(seen.stdout.trim_end(), config.working_dir);
}

#[test]
fn a_program_with_a_line_that_names_its_shell_is_run_by_that() {
    let dir = first_process::folder_with("bench", b"#!/bin/sh\necho \"$0\" \"$1\"\n", 0o755);
    let mut config = config(&["./bench", "argument"], LONG);
    config.working_dir = dir.path().display().to_string();
    let Some(seen) = run_alone(&config) else { return };
    assert_eq!(seen.stdout, format!("{}/./bench argument\n", config.working_dir));
}

#[test]
fn what_the_kernel_does_not_execute_is_the_image_s_fault() {
    let dir = first_process::folder_with("bench", b"neither a program nor a script", 0o755);
    let path = dir.path().join("bench").display().to_string();
    let expected = format!("command `{path}` could not be executed in the image: Exec format error (os error 8)");
    check_failure(&config(&[&path], LONG), &expected);
    let dir = first_process::folder_with("bench", b"#!/no/such/shell\n", 0o755);
    let path = dir.path().join("bench").display().to_string();
    let expected = format!("command `{path}` could not be executed in the image: No such file or directory (os error 2)");
    check_failure(&config(&[&path], LONG), &expected);
}

#[test]
fn what_cannot_be_prepared_is_said() {
    check_failure(&config(&[], LONG), "no command was given");
    check_failure(
        &config(&["no-such-command"], LONG),
        "command `no-such-command` not found in the image; looked in /usr/bin, /bin",
    );
    let mut unknown = shell("true", LONG);
    unknown.user = Some("no-such-user".to_owned());
    check_failure(&unknown, "the image has no user `no-such-user` in /etc/passwd");
    let mut limits = shell("true", LONG);
    limits.rlimits = vec![Rlimit { resource: Resource::Nofile, soft: 2, hard: 1 }];
    check_failure(&limits, "could not set the benchmark's resource limits: Invalid argument (os error 22)");
    let mut nul = shell("true", LONG);
    nul.env = vec![("A".to_owned(), "b\0c".to_owned())];
    check_failure(&nul, "the configuration drive cannot be used: a word of the command line or the environment holds a NUL");
}

#[test]
fn ctrl_alt_del_stops_the_benchmark() {
    // What the kernel sends to its first process; anybody may.
    check("trap 'echo asked; exit 0' TERM; kill -INT 1; while :; do sleep 0.01; done", GuestExit::Code(0), "asked\n");
}
