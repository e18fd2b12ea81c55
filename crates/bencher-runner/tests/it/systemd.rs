//! What systemd hears of the runner, and the units it is given.

use std::{os::unix::net::UnixDatagram, path::Path, process::Command, time::Duration};

use bencher_types::wire::channel::FromRunner;
use nix::sys::signal::Signal;

use crate::{
    binary::{NO_CONFIG, Program},
    world::{KEY, Kind, PATIENCE, World},
};

/// The service manager's end.
struct Manager(UnixDatagram);

impl Manager {
    fn listen(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// Waits until this is said, and returns what was said before.
    async fn hears(self, wanted: &'static str) -> (Self, Vec<String>) {
        tokio::task::spawn_blocking(move || {
            let mut before = Vec::new();
            loop {
                let mut buffer = [0; 4096];
                let read = self.0.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted}: {error}: {before:#?}"));
                let said = String::from_utf8_lossy(&buffer[..read]).into_owned();
                if said.lines().any(|line| line.starts_with(wanted)) {
                    return (self, before);
                }
                before.push(said);
            }
        })
        .await
        .unwrap()
    }
}

#[tokio::test]
async fn systemd_hears_that_the_runner_is_ready_what_it_does_that_it_lives_and_that_it_stops() {
    let data = tempfile::tempdir().unwrap();
    let socket = data.path().join("notify");
    let manager = Manager::listen(&socket);
    let mut world = World::start(Kind::Ours).await;
    // Signs of life are asked of one process by its number, which a shell knows before it becomes that process.
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", "WATCHDOG_PID=$$ exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_runner"), "up", "--runner", "my-runner"]);
    command
        .env_clear()
        .env("BENCHER_HOST", format!("http://{}", world.addr))
        .env("BENCHER_RUNNER_CONFIG", NO_CONFIG)
        .env("BENCHER_RUNNER_KEY", KEY)
        .env("BENCHER_RUNNER_DATA_DIR", data.path().join("data"))
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", Duration::from_millis(400).as_micros().to_string());
    let mut program = Program::spawn(command);
    let (manager, before) = manager.hears("READY=1").await;
    assert!(before.is_empty(), "nothing is said before: {before:?}");
    let (manager, _) = manager.hears("STATUS=idle").await;
    assert!(matches!(world.message().await, FromRunner::Ready { .. }));
    let (manager, _) = manager.hears("WATCHDOG=1").await;
    let (manager, said) = manager.hears("WATCHDOG=1").await;
    assert!(!said.iter().any(|said| said.contains("STATUS=")), "no news, no status: {said:?}");
    program.signal(Signal::SIGTERM);
    let (_, _) = manager.hears("STOPPING=1").await;
    assert_eq!(program.exit_code().await, Some(0));
}

fn unit(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn value<'a>(unit: &'a str, key: &str) -> &'a str {
    let line = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {key} in {unit}"))
}

#[test]
fn the_units_fit_what_the_programs_do() {
    let runner = unit("runner.service");
    assert_eq!(
        (value(&runner, "Type"), value(&runner, "KillMode"), value(&runner, "Restart")),
        ("notify", "mixed", "on-failure")
    );
    assert_eq!(value(&runner, "RestartPreventExitStatus"), "2 4 8", "what only a person can change");
    // These are inherited by benchmarks, whose numbers or system calls they would change, or keep sandboxes from being made.
    for harmful in ["SystemCallFilter", "MemoryDenyWriteExecute", "RestrictNamespaces", "PrivateDevices", "ProtectControlGroups"]
    {
        assert!(!runner.lines().any(|line| line.starts_with(harmful)), "{harmful}");
    }
    let api = unit("bencher-api.service");
    assert_eq!(value(&api, "Type"), "notify");
}

#[test]
fn systemd_understands_the_units() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd");
    let dir = tempfile::tempdir().unwrap();
    for name in ["runner.service", "bencher-api.service"] {
        // The programs are not installed where the units look for them.
        let text = unit(name).replace("/usr/bin/runner", "/bin/true").replace("/usr/bin/bencher-api", "/bin/true");
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let Ok(output) = Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&path).output() else {
            // Without it the keys are looked at above.
            assert!(folder.join(name).exists());
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr);
        let about_it: Vec<&str> = said.lines().filter(|line| line.contains(name)).collect();
        assert!(about_it.is_empty(), "{said}");
    }
}
