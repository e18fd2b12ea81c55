//! Every way a runner does not start: one clear error with what to do, and its own exit code.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use nix::sys::signal::Signal;

use crate::{
    binary::{NO_CONFIG, Program},
    world::{KEY, Kind, PATIENCE, World},
};

/// The lines of a runner that ends by itself, and its exit code.
async fn fails(args: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut program = Program::start(args, |command| {
        command.envs(variables.iter().copied());
    });
    let code = program.exit_code().await;
    (code, program.said())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A file, and who may read it.
fn file(dir: &Path, name: &str, content: &str, mode: u32) -> String {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    text(&path).to_owned()
}

#[tokio::test]
async fn without_a_key_it_is_told_where_one_may_be() {
    let data = tempfile::tempdir().unwrap();
    let (code, said) = fails(&["--runner", "box", "--data-dir", text(data.path())], &[]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("there is no runner key") && said.contains("--key-file"), "{said}");
}

#[tokio::test]
async fn a_key_file_that_others_can_read_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let key = file(data.path(), "key", KEY, 0o644);
    let (code, said) = fails(&["--runner", "box", "--data-dir", text(data.path()), "--key-file", &key], &[]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("chmod 600") && !said.contains(KEY), "{said}");
}

#[tokio::test]
async fn a_broken_configuration_file_is_located() {
    let data = tempfile::tempdir().unwrap();
    let config = file(data.path(), "runner.toml", "runner = \"box\"\nhost = \n", 0o600);
    let (code, said) = fails(&[], &[("BENCHER_RUNNER_CONFIG", &config)]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("runner.toml") && said.contains("line 2"), "{said}");
    let config = file(data.path(), "runner.toml", "runer = \"box\"\n", 0o600);
    let (code, said) = fails(&["--config", &config], &[]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("did you mean `runner`?"), "{said}");
    let (code, said) = fails(&["--config", "/nonexistent/runner.toml"], &[]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("/nonexistent/runner.toml"), "{said}");
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_written_is_named() {
    let data = tempfile::tempdir().unwrap();
    // Not even root can make a folder below a file.
    let blocked = file(data.path(), "file", "", 0o600) + "/data";
    let (code, said) = fails(&["--runner", "box", "--key", KEY, "--data-dir", &blocked], &[]).await;
    assert_eq!(code, Some(8), "{said}");
    assert!(said.contains(&blocked) && said.contains("--data-dir"), "{said}");
}

/// What a command says that has to fail, and its exit code.
async fn output(mut command: tokio::process::Command) -> (Option<i32>, String) {
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("BENCHER_RUNNER_KEY", KEY)
        .env("BENCHER_RUNNER_CONFIG", NO_CONFIG);
    command.kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_machine_without_a_container_runtime_says_what_to_install() {
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/crun").exists() {
        assert!(std::env::var_os("BENCHER_TEST_REQUIRE").is_none_or(|value| value != "1"), "it needs root and /usr/bin/crun");
        return;
    }
    let data = tempfile::tempdir().unwrap();
    // Only for this process there is nothing to execute.
    let mut command = tokio::process::Command::new("unshare");
    command.args(["--mount", "sh", "-euc", "mount --bind /dev/null /usr/bin/crun; exec \"$0\" \"$@\""]);
    command.arg(env!("CARGO_BIN_EXE_runner")).args(["up", "--runner", "box", "--danger-allow-no-sandbox", "--data-dir"]);
    command.arg(data.path());
    let (code, said) = output(command).await;
    assert_eq!(code, Some(8), "{said}");
    assert!(said.contains("`crun`") && said.contains("install"), "{said}");
}

#[tokio::test]
async fn without_root_there_is_no_execution_on_the_host() {
    let data = tempfile::tempdir().unwrap();
    std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    // Built by root, the program may lie where nobody else may look.
    let copy = data.path().join("runner");
    std::fs::copy(env!("CARGO_BIN_EXE_runner"), &copy).unwrap();
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = tokio::process::Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&copy);
        command
    } else {
        tokio::process::Command::new(&copy)
    };
    command.args(["up", "--runner", "box", "--danger-allow-no-sandbox", "--data-dir"]).arg(data.path().join("data"));
    let (code, said) = output(command).await;
    assert_eq!(code, Some(8), "{said}");
    assert!(said.contains("needs root"), "{said}");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_told_and_tried_again() {
    let data = tempfile::tempdir().unwrap();
    let mut program =
        Program::start(&["--runner", "box", "--data-dir", text(data.path()), "--host", "http://127.0.0.1:1"], |up| {
            up.env("BENCHER_RUNNER_KEY", KEY);
        });
    let line = program.says("could not reach the server at http://127.0.0.1:1").await;
    assert!(line.contains("trying again in about"), "{line}");
    program.signal(Signal::SIGTERM);
    assert_eq!(program.exit_code().await, Some(0));
}

#[tokio::test]
async fn a_host_that_is_none_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let (code, said) = fails(&["--runner", "box", "--data-dir", text(data.path()), "--key", KEY, "--host", "ftp://x"], &[]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("expected http://"), "{said}");
}

#[tokio::test]
async fn a_log_in_json_is_an_object_per_line() {
    let data = tempfile::tempdir().unwrap();
    let world = World::start(Kind::Ours).await;
    let mut program = Program::with(&world, data.path(), KEY, &["--log-format", "json", "--log-level", "debug"]);
    let line = program.says("\"started\"").await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["level"], &line["fields"]["message"]), (&"INFO".into(), &"started".into()));
    program.says("\"DEBUG\"").await;
    assert!(!program.said().contains(KEY));
}

#[tokio::test]
async fn a_void_key_and_an_undelivered_result_do_not_hold_up_the_end() {
    let data = tempfile::tempdir().unwrap();
    let spool = data.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    let (uuid, _) = crate::world::job(None);
    let message = serde_json::json!({ "event": "canceled", "job": uuid }).to_string();
    let digest = bencher_types::Digest::sha256(message.as_bytes());
    let header = serde_json::json!({ "version": 1, "bytes": message.len(), "digest": digest });
    std::fs::write(spool.join(format!("{:020}-{uuid}.msg", 1)), format!("{header}\n{message}")).unwrap();
    let world = World::start(Kind::Ours).await;
    let mut program = Program::with(&world, data.path(), &KEY.replace("abc", "xyz"), &[]);
    program.says("401").await;
    let begun = std::time::Instant::now();
    program.signal(Signal::SIGTERM);
    assert_eq!(program.exit_code().await, Some(0));
    // Not a matter of speed: it would wait for 30 s if it waited.
    assert!(begun.elapsed() < std::time::Duration::from_secs(25), "{:?}", begun.elapsed());
    assert!(program.said().contains("undelivered results"), "{}", program.said());
    assert_eq!(std::fs::read_dir(&spool).unwrap().count(), 1, "the result is kept");
}
