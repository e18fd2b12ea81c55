//! What runs: command, environment, user, working folder, exit.

use bencher_runner::sandbox::{Blame, Ended, Exit, ImageError, SandboxError};

use super::harness::{Harness, plan, text};

#[tokio::test]
async fn exit_code_streams_and_working_folder_are_the_benchmarks() {
    let Some(harness) = Harness::new().await else { return };
    let outcome = harness.run_shell("pwd; echo oops >&2; exit 7").await;
    assert_eq!((outcome.exit, outcome.ended), (Exit::Code(7), Ended::Exited));
    assert_eq!((text(&outcome.stdout.bytes), text(&outcome.stderr.bytes)), ("/work\n".to_owned(), "oops\n".to_owned()));
    assert!(!outcome.is_partial() && !outcome.stdout.is_truncated());
}

#[tokio::test]
async fn only_the_given_environment_is_seen() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = plan(&harness.image(), &["env"]);
    plan.env.push(("GREETING".to_owned(), "a=b c".to_owned()));
    // The host's loader would complain, and would do worse, if this reached a process of the host.
    plan.env.push(("LD_PRELOAD".to_owned(), "/nowhere.so".to_owned()));
    let outcome = harness.run(&plan).await.unwrap();
    let env = text(&outcome.stdout.bytes);
    let mut env: Vec<&str> = env.lines().collect();
    env.sort_unstable();
    assert_eq!(env, ["GREETING=a=b c", "HOME=/root", "LD_PRELOAD=/nowhere.so", "PATH=/bin"]);
    assert_eq!(text(&outcome.stderr.bytes), "");
}

#[tokio::test]
async fn users_are_resolved_in_the_image() {
    let Some(harness) = Harness::new().await else { return };
    for (user, expected) in [
        ("bench", "uid=1234(bench) gid=1234(bench) groups=77(extra),1234(bench)\n/home/bench\n"),
        ("1234:extra", "uid=1234(bench) gid=77(extra) groups=77(extra)\n/home/bench\n"),
        ("4321", "uid=4321 gid=0(root) groups=0(root)\n/\n"),
    ] {
        let mut plan = harness.shell("id; echo $HOME; echo shown > /dev/stderr");
        plan.user = Some(user.to_owned());
        let outcome = harness.run(&plan).await.unwrap();
        let found = text(&outcome.stdout.bytes);
        assert_eq!(found, expected, "user {user}");
        assert_eq!(text(&outcome.stderr.bytes), "shown\n");
    }
    let mut plan = harness.shell("true");
    plan.user = Some("nobody-here".to_owned());
    let error = harness.run(&plan).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Image);
    assert_eq!(error.to_string(), "the image has no user `nobody-here` in /etc/passwd");
}

#[tokio::test]
async fn a_signal_is_told_from_an_exit_code() {
    let Some(harness) = Harness::new().await else { return };
    for signal in [6, 9, 11, 15] {
        let outcome = harness.run_shell(&format!("kill -{signal} $$")).await;
        assert_eq!((outcome.exit, outcome.ended), (Exit::Signal(signal), Ended::Exited));
    }
    assert_eq!(harness.run_shell("exit 137").await.exit, Exit::Code(137));
}

#[tokio::test]
async fn a_command_that_is_nowhere_is_the_images_fault() {
    let Some(harness) = Harness::new().await else { return };
    let mut lost = plan(&harness.image(), &["foo"]);
    lost.env = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
    let error = harness.run(&lost).await.unwrap_err();
    assert_eq!(error.to_string(), "command `foo` not found in the image; looked in /usr/bin, /bin");
    assert_eq!(error.blame(), Blame::Image);
    let error = harness.run(&plan(&harness.image(), &["plain-file"])).await.unwrap_err();
    assert!(matches!(error, SandboxError::Image(ImageError::NotExecutable { .. })), "{error}");
}

#[tokio::test]
async fn a_command_that_the_kernel_refuses_is_the_images_fault() {
    let Some(harness) = Harness::new().await else { return };
    for (command, reason) in [("bad-interpreter", "No such file or directory"), ("/bin/not-a-program", "Exec format error")] {
        let error = harness.run(&plan(&harness.image(), &[command])).await.unwrap_err();
        let SandboxError::Image(ImageError::ExecFailed { reason: found, .. }) = &error else { panic!("{error}") };
        assert_eq!(found, reason);
    }
}
