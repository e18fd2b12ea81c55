//! Nothing of a guest outlives the stand-in, whatever ends it: a guest is several processes, and the kernel of User Mode
//! Linux leaves some behind when only its first one dies.
//!
//! All of them live in a process namespace whose first process does nothing but wait for the stand-in's end, which it sees
//! at the end of a pipe. When it ends, the kernel kills every process of the namespace.

use std::{io, os::fd::OwnedFd};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    libc,
    sched::{CloneFlags, unshare},
    sys::{prctl, signal::Signal, wait::waitpid},
    unistd::{ForkResult, Gid, Pid, Uid, fork, pipe2},
};

#[derive(Debug, thiserror::Error)]
#[error("could not make a process namespace for the guest: {what}")]
pub(crate) struct KeeperError {
    what: &'static str,
    #[source]
    source: io::Error,
}

/// The first process of the guest's namespace. It ends with this, or with the process that holds this.
pub(crate) struct Keeper {
    pid: Pid,
    _alive: OwnedFd,
}

impl Keeper {
    /// Must be called while this process has one thread. Every child that is started afterwards is in the namespace.
    pub(crate) fn start() -> Result<Self, KeeperError> {
        let failed = |what| move |errno: Errno| KeeperError { what, source: errno.into() };
        enter().map_err(|source| KeeperError { what: "unshare", source })?;
        let (ended, alive) = pipe2(OFlag::O_CLOEXEC).map_err(failed("pipe"))?;
        // SAFETY: there is one thread, so the child may do what this process may.
        match unsafe { fork() }.map_err(failed("fork"))? {
            ForkResult::Parent { child } => Ok(Self { pid: child, _alive: alive }),
            ForkResult::Child => {
                drop(alive);
                keep(ended)
            }
        }
    }

    /// Ends every process of the namespace, and returns when they are gone.
    pub(crate) fn end(self) {
        // If it is gone already, so are they.
        let _ = nix::sys::signal::kill(self.pid, Signal::SIGKILL);
        // It stays until all others are waited for, and some of them are children of this process.
        while waitpid(None, None).is_ok_and(|status| status.pid() != Some(self.pid)) {}
    }
}

/// Without rights over the machine, those over a user namespace of its own are enough. In a jail the jailer's stand-in has
/// done this already, which the kernel says by refusing to do it twice.
fn enter() -> io::Result<()> {
    match unshare(CloneFlags::CLONE_NEWPID) {
        Err(Errno::EPERM) => {}
        Err(Errno::EINVAL) | Ok(()) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    }
    let (uid, gid) = (Uid::effective(), Gid::effective());
    match unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID) {
        Err(Errno::EINVAL) => return Ok(()),
        Err(errno) => return Err(errno.into()),
        Ok(()) => {}
    }
    std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

/// The life of the namespace's first process.
fn keep(ended: OwnedFd) -> ! {
    use std::os::fd::AsRawFd as _;
    let _ = prctl::set_name(c"stand-in keeper");
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    // SAFETY: plain system calls on numbers. Nothing that the stand-in has open may stay open because of this process; what
    // the guest's processes leave behind is reaped by the kernel.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_IGN);
        libc::setsid();
        libc::dup2(ended.as_raw_fd(), 0);
        libc::close_range(1, libc::c_uint::MAX, 0);
        let mut byte = 0_u8;
        while libc::read(0, (&raw mut byte).cast(), 1) < 0 && Errno::last() == Errno::EINTR {}
        libc::_exit(0)
    }
}
