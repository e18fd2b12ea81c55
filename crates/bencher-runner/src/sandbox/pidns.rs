//! The PID namespace of one iteration, and the end of everything in it.
//!
//! PID 1 of the namespace is not the benchmark but a `cat` of the host, the *warden*, that reads a pipe of ours. So
//! the benchmark keeps the signal behaviour of an ordinary process, what it leaves behind is visible after its exit,
//! and one event ends all of it: when the warden dies the kernel kills every process of the namespace and lets the
//! warden go only when the last is reaped. The warden dies when we kill it and when its pipe closes, which the kernel
//! sees to even where the runner is killed by SIGKILL.

use std::{
    ffi::OsString,
    fs, io,
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::sched::CloneFlags;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, pidfd_open, pidfd_send_signal, waitid},
};
use tokio::time::Instant;

use super::{InfrastructureError, command::DEFAULT_PATH, process::WatchedProcess};
use crate::limits;

/// Pause between two looks at processes that have been killed and not yet reaped.
const REAP_PAUSE: Duration = Duration::from_millis(2);

/// The file in an iteration's folder that says which process is the warden.
const WARDEN_FILE: &str = "warden";

/// The first process of a PID namespace, and with it the namespace.
#[derive(Debug)]
#[must_use = "dropping it kills every process of the namespace"]
pub(super) struct Warden {
    child: Child,
    pidfd: OwnedFd,
    namespace: PidNamespace,
    gone: bool,
}

/// A PID namespace, by what `/proc/<pid>/ns/pid` reads as for every process in it.
#[derive(Debug)]
struct PidNamespace(OsString);

/// A process of a namespace.
#[derive(Clone, Copy, Debug)]
struct Member {
    pid: Pid,
    is_zombie: bool,
    parent: i32,
}

impl Warden {
    /// Starts a namespace.
    pub(super) fn start() -> Result<Self, InfrastructureError> {
        // Unsharing concerns the calling thread for good, so it gets one of its own.
        let spawned = std::thread::Builder::new().name("pid-namespace".to_owned()).spawn(spawn_in_new_namespace);
        let spawned = spawned.map_err(InfrastructureError::kernel("start a thread"))?;
        let child = spawned.join().map_err(|_| InfrastructureError::SetUpLost)??;
        let pid = pid_of(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK)
            .map_err(|errno| InfrastructureError::kernel("open a process handle")(errno.into()))?;
        let namespace = PidNamespace::of(pid.as_raw_nonzero().get())?;
        Ok(Self { child, pidfd, namespace, gone: false })
    }

    pub(super) fn pid(&self) -> i32 {
        pid_of(&self.child).as_raw_nonzero().get()
    }

    /// The file that names the namespace to those who join it.
    pub(super) fn namespace_path(&self) -> String {
        format!("/proc/{}/ns/pid", self.pid())
    }

    /// Sends SIGTERM to every process of the namespace.
    pub(super) fn terminate_members(&self) {
        for member in self.members() {
            let Ok(handle) = pidfd_open(member.pid, PidfdFlags::empty()) else { continue };
            // The number may have found a new owner since it was listed; the handle cannot.
            if self.namespace.holds(member.pid) {
                let _ = pidfd_send_signal(&handle, Signal::TERM);
            }
        }
    }

    /// Waits until no process but the warden is left, or until `deadline`.
    pub(super) async fn wait_until_empty(&self, deadline: Instant) -> io::Result<()> {
        loop {
            let alive: Vec<Member> = self.members().into_iter().filter(|member| !member.is_zombie).collect();
            let Some(member) = alive.first() else { return Ok(()) };
            if let Ok(handle) = pidfd_open(member.pid, PidfdFlags::NONBLOCK)
                && self.namespace.holds(member.pid)
            {
                let handle = WatchedProcess::new(handle)?;
                if tokio::time::timeout_at(deadline, handle.ended()).await.is_err() {
                    return Ok(());
                }
            }
            if Instant::now() >= deadline {
                return Ok(());
            }
        }
    }

    /// Sends SIGKILL to all of the namespace at once, without waiting.
    pub(super) fn kill(&mut self) {
        if !self.gone {
            let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        }
    }

    /// Kills what is left and waits until all of it is reaped.
    pub(super) async fn close(mut self) -> Result<(), InfrastructureError> {
        self.kill();
        let deadline = Instant::now() + limits::KILL_TIMEOUT;
        let watched = self.pidfd.try_clone().and_then(WatchedProcess::new);
        let watched = watched.map_err(InfrastructureError::kernel("watch a benchmark's PID namespace"))?;
        while !self.reap()? {
            if Instant::now() >= deadline {
                return Err(InfrastructureError::TimedOut { step: "the end of a killed benchmark", after: limits::KILL_TIMEOUT });
            }
            // It ends when all others have; those that nobody waits for but us have to be looked for.
            let _ = tokio::time::timeout(REAP_PAUSE, watched.ended()).await;
        }
        Ok(())
    }

    /// Reaps what is dead; whether that was all of it.
    fn reap(&mut self) -> Result<bool, InfrastructureError> {
        if self.gone {
            return Ok(true);
        }
        // The runtime leaves children to us when it fails half-way; the warden waits for them as well.
        reap_orphans(&self.members());
        let status = self.child.try_wait().map_err(InfrastructureError::kernel("wait for a benchmark's PID namespace"))?;
        self.gone = status.is_some();
        Ok(self.gone)
    }

    fn members(&self) -> Vec<Member> {
        let mut members = self.namespace.members();
        members.retain(|member| member.pid.as_raw_nonzero().get() != self.pid());
        members
    }
}

impl PidNamespace {
    /// The namespace that a process is in.
    fn of(pid: i32) -> Result<Self, InfrastructureError> {
        let link = format!("/proc/{pid}/ns/pid");
        let target = fs::read_link(&link).map_err(InfrastructureError::io("read", &link))?;
        Ok(Self(target.into_os_string()))
    }

    /// Reaps what is dead and ours; whether nothing alive is left besides `warden`.
    fn is_dead_but_for(&self, warden: i32) -> bool {
        let members = self.members();
        reap_orphans(&members);
        members.iter().all(|member| member.is_zombie || member.pid.as_raw_nonzero().get() == warden)
    }

    fn holds(&self, pid: Pid) -> bool {
        fs::read_link(format!("/proc/{}/ns/pid", pid.as_raw_nonzero())).is_ok_and(|link| link.as_os_str() == self.0)
    }

    fn members(&self) -> Vec<Member> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok().and_then(Pid::from_raw));
        pids.filter(|pid| self.holds(*pid)).filter_map(member).collect()
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        self.kill();
        for _ in 0..500 {
            if !matches!(self.reap(), Ok(false)) {
                return;
            }
            let pause = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
            let _ = poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&pause));
        }
        tracing::warn!(pid = self.pid(), "a killed benchmark did not end");
    }
}

/// Notes in `dir` who the warden is, for the case that this process does not live to end it.
pub(super) fn note_warden(dir: &Path, pid: i32) -> Result<(), InfrastructureError> {
    let path = dir.join(WARDEN_FILE);
    let ticks = start_ticks(pid).unwrap_or_default();
    fs::write(&path, format!("{pid} {ticks}\n")).map_err(InfrastructureError::io("write", path))
}

/// Ends the namespace whose warden an earlier runner noted in `dir`, if it still lives.
pub(super) async fn end_noted_warden(dir: &Path) -> Result<(), InfrastructureError> {
    let Ok(text) = fs::read_to_string(dir.join(WARDEN_FILE)) else { return Ok(()) };
    let mut words = text.split_whitespace();
    let (pid, ticks) = (words.next().and_then(|word| word.parse().ok()), words.next().and_then(|word| word.parse().ok()));
    let (Some(pid), Some(ticks)) = (pid, ticks) else { return Ok(()) };
    let Some(handle) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { return Ok(()) };
    // The handle is open, so from here on the number cannot change its owner unnoticed.
    if start_ticks(pid) != Some(ticks) {
        return Ok(());
    }
    let Ok(namespace) = PidNamespace::of(pid) else { return Ok(()) };
    let _ = pidfd_send_signal(&handle, Signal::KILL);
    // Not the warden's own end: it waits for zombies, and their new parent may be one that never reaps.
    let deadline = Instant::now() + limits::KILL_TIMEOUT;
    while !namespace.is_dead_but_for(pid) {
        if Instant::now() >= deadline {
            return Err(InfrastructureError::TimedOut {
                step: "the end of an earlier runner's benchmark",
                after: limits::KILL_TIMEOUT,
            });
        }
        tokio::time::sleep(REAP_PAUSE).await;
    }
    Ok(())
}

/// The time a process started, in clock ticks since boot: with its number, what tells it from a later one.
fn start_ticks(pid: i32) -> Option<u64> {
    // The name in the second field may hold anything; what follows its closing parenthesis is well-formed.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn spawn_in_new_namespace() -> Result<Child, InfrastructureError> {
    nix::sched::unshare(CloneFlags::CLONE_NEWPID)
        .map_err(|errno| InfrastructureError::kernel("make a PID namespace")(errno.into()))?;
    // With SIGCHLD ignored the kernel reaps what is left to the warden, which never waits for anything.
    Command::new("env")
        .args(["--ignore-signal=CHLD", "cat"])
        .env_clear()
        .env("PATH", DEFAULT_PATH)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| InfrastructureError::ProgramMissing { program: "env".into(), source })
}

fn reap_orphans(members: &[Member]) {
    let ourselves = getpid().as_raw_nonzero().get();
    for member in members.iter().filter(|member| member.is_zombie && member.parent == ourselves) {
        let _ = waitid(WaitId::Pid(member.pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn member(pid: Pid) -> Option<Member> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let is_zombie = matches!(fields.next()?, "Z" | "X");
    Some(Member { pid, is_zombie, parent: fields.next()?.parse().ok()? })
}
