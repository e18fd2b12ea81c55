//! Network namespaces with a name: made, entered, removed. Blocking.

use std::{
    fs::{self, File},
    io,
    path::Path,
    thread,
};

use nix::sched::CloneFlags;
use rustix::{
    io::Errno,
    mount::{UnmountFlags, mount_bind, unmount},
};

use crate::sandbox::InfrastructureError;

/// The settings of a namespace that only passes packets on. IPv6 may be missing from the kernel altogether.
const SETTINGS: [(&str, &str); 8] = [
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/accept_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/conf/all/rp_filter", "1"),
    ("ipv4/ip_forward", "1"),
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
];

/// Makes a namespace that stays while `path` does.
pub(super) fn create(path: &Path) -> Result<(), InfrastructureError> {
    File::create(path).map_err(InfrastructureError::io("create", path))?;
    on_own_thread(|| {
        nix::sched::unshare(CloneFlags::CLONE_NEWNET)
            .map_err(|errno| InfrastructureError::kernel("make a network namespace")(errno.into()))?;
        for (name, value) in SETTINGS {
            match write_setting(name, value) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && name.starts_with("ipv6/") => {}
                other => other.map_err(InfrastructureError::io("write", setting(name)))?,
            }
        }
        mount_bind("/proc/thread-self/ns/net", path)
            .map_err(|errno| InfrastructureError::io("name a network namespace", path)(errno.into()))
    })
}

/// Does something in the namespace, and in it what it starts.
pub(super) fn within<T: Send>(
    path: &Path,
    work: impl FnOnce() -> Result<T, InfrastructureError> + Send,
) -> Result<T, InfrastructureError> {
    let namespace = File::open(path).map_err(InfrastructureError::io("open", path))?;
    on_own_thread(|| {
        nix::sched::setns(&namespace, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| InfrastructureError::io("enter the network namespace", path)(errno.into()))?;
        work()
    })
}

/// Takes the name away, there or not. The namespace goes with the last process in it.
pub(super) fn remove(path: &Path) -> Result<(), InfrastructureError> {
    loop {
        match unmount(path, UnmountFlags::DETACH) {
            Ok(()) => {}
            // Not, or no longer, a mount.
            Err(Errno::INVAL | Errno::NOENT) => break,
            Err(errno) => return Err(InfrastructureError::io("unmount", path)(errno.into())),
        }
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(InfrastructureError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The file of a setting below `net`. The kernel shows those of the calling thread's namespace.
pub(super) fn setting(name: &str) -> String {
    format!("/proc/sys/net/{name}")
}

pub(super) fn write_setting(name: &str, value: &str) -> io::Result<()> {
    fs::write(setting(name), value)
}

/// A thread that ends afterwards: entering a namespace cannot be undone for one that goes on to other work.
fn on_own_thread<T: Send>(work: impl FnOnce() -> Result<T, InfrastructureError> + Send) -> Result<T, InfrastructureError> {
    thread::scope(|scope| scope.spawn(work).join()).unwrap_or(Err(InfrastructureError::SetUpLost))
}
