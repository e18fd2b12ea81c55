//! The process of one machine: Firecracker in its jail, or bare.
//!
//! It is started in the PID namespace of a [`Warden`], so that everything of it dies with the runner, whatever becomes of
//! that; and it stays our child, with the exit status it really has, because it is told neither to fork nor to detach.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, PipeReader},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nix::sched::CloneFlags;
use rustix::{
    process::{Pid, PidfdFlags, WaitIdStatus, pidfd_open},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use super::{jail::name, limits};
use crate::sandbox::{InfrastructureError, pidns::Warden, process::WatchedProcess};

/// What is started, and how.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) firecracker: PathBuf,
    pub(super) jailer: Option<Jailer>,
    pub(super) id: String,
    /// The jail, which is the working directory of a bare process.
    pub(super) root: PathBuf,
    /// The network namespace it is to be in; `None` is an empty one of its own.
    pub(super) network: Option<PathBuf>,
}

/// How the jailer is to confine it.
#[derive(Clone, Debug)]
pub(super) struct Jailer {
    pub(super) program: PathBuf,
    pub(super) uid: u32,
    /// Folder of all jails; the jailer adds the program's name and the id.
    pub(super) base: PathBuf,
    /// Bytes of the largest file it may write.
    pub(super) max_file_size: u64,
}

/// A machine's process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: i32,
    watched: WatchedProcess,
}

impl Launch {
    fn command(&self) -> Command {
        let mut command = match &self.jailer {
            None => Command::new(&self.firecracker),
            Some(jailer) => Command::new(&jailer.program),
        };
        command.args(self.arguments()).env_clear().current_dir(&self.root);
        command
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["--id".into(), self.id.clone().into()];
        if let Some(Jailer { uid, base, max_file_size, .. }) = &self.jailer {
            words.extend(["--exec-file".into(), self.firecracker.clone().into()]);
            words.extend(["--uid".into(), uid.to_string().into(), "--gid".into(), uid.to_string().into()]);
            words.extend(["--chroot-base-dir".into(), base.clone().into()]);
            if let Some(network) = &self.network {
                words.extend(["--netns".into(), network.clone().into()]);
            }
            for limit in [format!("fsize={max_file_size}"), format!("no-file={}", limits::MAX_OPEN_FILES)] {
                words.extend(["--resource-limit".into(), limit.into()]);
            }
            // The rest is Firecracker's own; the jailer tells it the id.
            words.push("--".into());
        }
        words.extend(["--api-sock".into(), name::API.into()]);
        words
    }
}

impl Process {
    /// Starts it. What it writes comes out of the pipe. Blocking, for a moment.
    pub(super) fn start(launch: &Launch, warden: &Warden) -> Result<(Self, PipeReader), InfrastructureError> {
        let (console, writer) = io::pipe().map_err(InfrastructureError::kernel("make a pipe"))?;
        let mut command = launch.command();
        let errors = writer.try_clone().map_err(InfrastructureError::kernel("make a pipe"))?;
        command.stdin(Stdio::null()).stdout(writer).stderr(errors);
        let mut namespaces = vec![(open(Path::new(&warden.namespace_path()))?, LinkNameSpaceType::ProcessID)];
        // The jailer joins it by itself.
        if let (Some(path), None) = (&launch.network, &launch.jailer) {
            namespaces.push((open(path)?, LinkNameSpaceType::Network));
        }
        let child = spawn_within(command, namespaces, launch.network.is_none())?;
        let pid = Pid::from_child(&child);
        let handle: OwnedFd = pidfd_open(pid, PidfdFlags::NONBLOCK)
            .map_err(|errno| InfrastructureError::kernel("open a process handle")(errno.into()))?;
        let watched = WatchedProcess::new(handle).map_err(InfrastructureError::kernel("watch a process"))?;
        Ok((Self { pid: pid.as_raw_nonzero().get(), watched }, console))
    }

    /// Waits for its end and reaps it. May be dropped half-way and called again, but not after it has returned.
    pub(super) async fn ended(&self) -> Result<WaitIdStatus, InfrastructureError> {
        self.watched.reaped().await.map_err(InfrastructureError::kernel("wait for a microVM's process"))
    }
}

/// Spawns from a thread of its own, which namespaces concern for good.
fn spawn_within(
    mut command: Command,
    namespaces: Vec<(File, LinkNameSpaceType)>,
    without_network: bool,
) -> Result<Child, InfrastructureError> {
    let spawn = move || {
        if without_network {
            nix::sched::unshare(CloneFlags::CLONE_NEWNET)
                .map_err(|errno| InfrastructureError::kernel("make a network namespace")(errno.into()))?;
        }
        for (file, kind) in namespaces {
            move_into_link_name_space(file.as_fd(), Some(kind))
                .map_err(|errno| InfrastructureError::kernel("enter a namespace")(errno.into()))?;
        }
        let program = PathBuf::from(command.get_program());
        command.spawn().map_err(|source| InfrastructureError::ProgramMissing { program, source })
    };
    let thread = std::thread::Builder::new().name("microvm-start".to_owned()).spawn(spawn);
    let thread = thread.map_err(InfrastructureError::kernel("start a thread"))?;
    thread.join().map_err(|_| InfrastructureError::SetUpLost)?
}

fn open(path: &Path) -> Result<File, InfrastructureError> {
    File::open(path).map_err(InfrastructureError::io("open the namespace", path))
}

/// How a process ended, in words. Firecracker's codes are told by name; 0 only means that the guest is gone.
pub(super) fn describe(status: &WaitIdStatus) -> String {
    if let Some(signal) = status.terminating_signal() {
        return format!("killed by signal {signal}");
    }
    let code = status.exit_status().unwrap_or(-1);
    let meaning = match code {
        0 => "the guest reset itself or gave up",
        148 => "it made a system call it may not make",
        149 => "the host had no memory, or no huge page, left",
        150 => "it used memory that is not there",
        151 => "it wrote a file beyond its bound",
        152 | 153 => "it does not know what it was started with",
        154 => "it used up its CPU time",
        _ => return format!("exit code {code}"),
    };
    format!("exit code {code}: {meaning}")
}

#[cfg(test)]
mod tests;
