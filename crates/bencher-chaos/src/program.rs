//! A program that is kept running, killed by plan, and started again.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
    time::Instant,
};

use crate::{journal::Journal, plan::Lives};

/// How long a program that ended by itself is left alone, as a service manager does.
const BY_ITSELF: Duration = Duration::from_millis(300);
/// How long a program may take to end when it is asked to.
const END: Duration = Duration::from_secs(60);

/// What happens to the programs of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// They are killed by plan.
    Torment,
    /// They are left in peace.
    Peace,
    /// They are asked to end.
    End,
}

/// Whether a program may end without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamina {
    /// It never does.
    Steady,
    /// It does where it cannot start, which its log tells by not saying this.
    OnceItSays(&'static str),
    /// It does for a while after it was killed, until the kernel has let go of what it had.
    Retries,
}

/// What to start, and how.
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) log: PathBuf,
    pub(crate) command: Box<dyn Fn() -> Command + Send + Sync>,
    /// What asks it to end.
    pub(crate) end: Signal,
    pub(crate) stamina: Stamina,
    /// What is to be noted before it is killed.
    pub(crate) before_kill: Box<dyn Fn() + Send + Sync>,
}

/// A program that is kept running.
pub(crate) struct Kept {
    task: JoinHandle<Result<()>>,
}

impl Kept {
    /// Starts it. It follows the phase from now on.
    pub(crate) fn start(program: Program, lives: Lives, phase: watch::Receiver<Phase>, journal: Arc<Journal>) -> Self {
        Self { task: tokio::spawn(keep(program, lives, phase, journal)) }
    }

    /// Waits until it has ended, which it does in the last phase.
    pub(crate) async fn ended(self) -> Result<()> {
        self.task.await.context("the keeper of a program panicked")?
    }
}

/// Why a program is not running any more.
enum Over {
    ByItself(String),
    Killed,
    Asked,
}

async fn keep(program: Program, mut lives: Lives, mut phase: watch::Receiver<Phase>, journal: Arc<Journal>) -> Result<()> {
    loop {
        let life = lives.next();
        let logged = std::fs::metadata(&program.log).map_or(0, |log| log.len());
        let child = spawn(&program)?;
        match live(&program, child, life.alive, &mut phase, &journal).await? {
            Over::Asked => return Ok(()),
            Over::Killed => tokio::time::sleep(life.away).await,
            Over::ByItself(how) => {
                journal.say(&format!("{} ended by itself: {how}", program.name));
                let is_allowed = match program.stamina {
                    Stamina::Steady => false,
                    Stamina::Retries => true,
                    Stamina::OnceItSays(word) => !log_since(&program.log, logged).contains(word),
                };
                if !is_allowed {
                    journal.complain(format!("{} ended by itself: {how}", program.name));
                }
                tokio::time::sleep(BY_ITSELF).await;
            }
        }
        if *phase.borrow() == Phase::End {
            return Ok(());
        }
    }
}

async fn live(
    program: &Program,
    mut child: Child,
    alive: Duration,
    phase: &mut watch::Receiver<Phase>,
    journal: &Journal,
) -> Result<Over> {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).context("a started program has a number")?;
    let death = Instant::now() + alive;
    loop {
        let now = *phase.borrow_and_update();
        if now == Phase::End {
            end(program, child, pid, journal).await?;
            return Ok(Over::Asked);
        }
        tokio::select! {
            status = child.wait() => return Ok(Over::ByItself(status.context("a child can be waited for")?.to_string())),
            () = tokio::time::sleep_until(death), if now == Phase::Torment => {
                (program.before_kill)();
                journal.killed(&program.name, pid);
                child.kill().await.context("a child can be killed")?;
                return Ok(Over::Killed);
            }
            changed = phase.changed() => changed.context("the run is over")?,
        }
    }
}

/// Asks a program to end and waits until it has. A child that was not waited for yet keeps its number.
async fn end(program: &Program, mut child: Child, pid: i32, journal: &Journal) -> Result<()> {
    kill(Pid::from_raw(pid), program.end).with_context(|| format!("could not ask {} to end", program.name))?;
    match tokio::time::timeout(END, child.wait()).await {
        Ok(status) if status.as_ref().is_ok_and(std::process::ExitStatus::success) => {}
        Ok(status) => journal.complain(format!("{} did not end well: {status:?}", program.name)),
        Err(_) => {
            journal.complain(format!("{} did not end within {END:?}", program.name));
            child.kill().await.ok();
        }
    }
    Ok(())
}

fn spawn(program: &Program) -> Result<Child> {
    let log = File::options().create(true).append(true).open(&program.log)?;
    let mut command = (program.command)();
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
    command.spawn().with_context(|| format!("could not start {}", program.name))
}

fn log_since(log: &Path, from: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
    String::from_utf8_lossy(&bytes[from..]).into_owned()
}
