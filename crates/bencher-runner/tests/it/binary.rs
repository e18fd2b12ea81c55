//! The real program, from its arguments to its exit code.

use std::{path::Path, process::Stdio};

use bencher_types::wire::channel::FromRunner;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};

use crate::world::{KEY, Kind, PATIENCE, Seen, World, job};

/// A configuration file with nothing in it, whatever this machine's own says.
pub(crate) const NO_CONFIG: &str = "/dev/null";

pub(crate) struct Program {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    said: Vec<String>,
}

impl Program {
    fn up(world: &World, data: &Path, key: &str) -> Self {
        Self::with(world, data, key, &[])
    }

    pub(crate) fn with(world: &World, data: &Path, key: &str, args: &[&str]) -> Self {
        Self::start(args, |command| {
            command
                .env("BENCHER_RUNNER", "my-runner")
                .env("BENCHER_HOST", format!("http://{}", world.addr))
                .env("BENCHER_RUNNER_KEY", key)
                .env("BENCHER_RUNNER_DATA_DIR", data);
        })
    }

    /// `runner up` in an environment of nothing but what is set here.
    pub(crate) fn start(args: &[&str], configure: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
        command.arg("up").args(args).env_clear().env("BENCHER_RUNNER_CONFIG", NO_CONFIG);
        configure(&mut command);
        Self::spawn(command)
    }

    /// A command that becomes the program.
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the program starts");
        let log = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        Self { child, log, said: Vec::new() }
    }

    /// The first line of the log that contains a text.
    pub(crate) async fn says(&mut self, text: &str) -> String {
        let found = async {
            loop {
                let line = self.log.next_line().await.expect("the log is text");
                let Some(line) = line else { panic!("the program ended without saying {text:?}: {:#?}", self.said) };
                self.said.push(line.clone());
                if line.contains(text) {
                    return line;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("it says so")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().expect("it runs").try_into().expect("a process number");
        kill(Pid::from_raw(pid), signal).expect("the signal is sent");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// All of the log so far.
    pub(crate) fn said(&self) -> String {
        self.said.join("\n")
    }

    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("it is waited for");
        while let Ok(Some(line)) = self.log.next_line().await {
            self.said.push(line);
        }
        status.code()
    }
}

#[tokio::test]
async fn an_idle_runner_ends_cleanly_on_sigterm() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let mut program = Program::up(&world, data.path(), KEY);
    assert!(matches!(world.message().await, FromRunner::Ready { .. }));
    program.signal(Signal::SIGTERM);
    assert_eq!(program.exit_code().await, Some(0));
    assert!(program.said.iter().any(|line| line.contains("not applied yet")), "{:#?}", program.said);
    assert!(!program.said.iter().any(|line| line.contains(KEY)), "the key is never logged");
}

#[tokio::test]
async fn a_wrong_key_is_told_to_the_operator_and_not_tried_again_soon() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let mut program = Program::up(&world, data.path(), &KEY.replace("abc", "xyz"));
    let line = program.says("401").await;
    assert!(line.contains("the runner key is not valid") && line.contains("`bencher runner key"), "{line}");
    assert!(line.contains("trying again in about 15 s"), "{line}");
    assert_eq!(world.next().await, Seen::Refused);
    program.signal(Signal::SIGTERM);
    assert_eq!(program.exit_code().await, Some(0));
}

#[tokio::test]
async fn a_v06_server_that_refuses_without_a_word_is_recognized() {
    let data = tempfile::tempdir().expect("a folder");
    let world = World::start(Kind::V06).await;
    let mut program = Program::up(&world, data.path(), &KEY.replace("abc", "xyz"));
    let line = program.says("without a word").await;
    assert!(line.contains("trying again in about 15 s"), "{line}");
}

#[tokio::test]
async fn jobs_that_this_runner_must_not_run_are_refused_with_the_reason() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let (unsafe_job, offer) = job(None);
    world.offer(offer);
    let (vm_job, offer) = job(Some("firecracker"));
    world.offer(offer);
    let _program = Program::up(&world, data.path(), KEY);
    let mut failure = async || {
        world
            .until(|seen| match seen {
                Seen::Message(FromRunner::Failed { job, error, .. }) => Some((*job, error.clone())),
                _ => None,
            })
            .await
    };
    let (refused, error) = failure().await;
    assert_eq!(refused, unsafe_job);
    assert!(error.contains("--danger-allow-no-sandbox"), "{error}");
    let (refused, error) = failure().await;
    assert_eq!(refused, vm_job);
    assert!(error.contains("this runner cannot start microVMs"), "{error}");
}

#[tokio::test]
async fn a_second_runner_does_not_start_on_the_same_folder() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let _first = Program::up(&world, data.path(), KEY);
    world.until_connected().await;
    let mut second = Program::up(&world, data.path(), KEY);
    assert_eq!(second.exit_code().await, Some(4));
    assert!(second.said.iter().any(|line| line.contains("another runner (process")), "{:#?}", second.said);
}

#[tokio::test]
async fn a_key_that_is_none_ends_the_program_with_a_usage_error() {
    let data = tempfile::tempdir().expect("a folder");
    let world = World::start(Kind::Ours).await;
    let mut program = Program::up(&world, data.path(), "bencher_user_secret");
    assert_eq!(program.exit_code().await, Some(2));
    let said = program.said.join("\n");
    assert!(said.contains("BENCHER_RUNNER_KEY") && !said.contains("secret"), "{said}");
}
