//! A place for commands that somebody else wrote: this machine's programs or an image's, one folder to write to, and nothing else of
//! this machine. It is bubblewrap's: this module only says what is to be in it.
//!
//! Whoever starts it needs no rights: it is made of a user namespace of its own, with the user as its only one and without
//! capabilities. What runs in it ends with the process that started it.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::ImageError;

const PROGRAM: &str = "bwrap";

/// Folders beside `/usr` in which systems have programs and libraries; links into it on most.
const PROGRAM_FOLDERS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What programs need of `/etc` to start, to find each other and to reach other machines. No folder that may hold a key is among them.
const SETTINGS: [&str; 18] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
];

/// Where programs are looked for that an image does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whose programs there are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Root<'a> {
    /// `/usr` of this machine and the like, to read only.
    ThisMachine,
    /// A folder with an image's files, to write to.
    Folder(&'a Path),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    /// As this machine has it.
    Shared,
    None,
}

#[derive(Debug)]
pub(super) struct Jail<'a> {
    pub root: Root<'a>,
    pub network: Network,
    /// Folders of this machine to write to, and where they are in it.
    pub writable: &'a [(&'a Path, &'a str)],
    /// The folder that a command starts in.
    pub dir: &'a str,
    /// `PATH` and `HOME` are there in any case.
    pub env: &'a [(String, String)],
}

impl Jail<'_> {
    /// A command in the jail, without input.
    pub(super) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut bwrap = Command::new(PROGRAM);
        bwrap.args(["--unshare-all", "--unshare-user", "--uid", "0", "--gid", "0", "--cap-drop", "ALL"]);
        bwrap.args(["--die-with-parent", "--new-session", "--hostname", "bencher"]);
        if self.network == Network::Shared {
            bwrap.arg("--share-net");
        }
        let home = match self.root {
            Root::ThisMachine => {
                this_machine(&mut bwrap);
                "/tmp"
            }
            Root::Folder(dir) => {
                bwrap.arg("--bind").arg(dir).arg("/");
                "/root"
            }
        };
        bwrap.args(["--proc", "/proc"]);
        for entry in kernel_files() {
            bwrap.arg("--ro-bind-try").args([&entry, &entry]);
        }
        bwrap.args(["--dev", "/dev"]);
        for (dir, at) in self.writable {
            bwrap.arg("--bind").arg(dir).arg(at);
        }
        bwrap.args(["--chdir", self.dir, "--clearenv", "--setenv", "PATH", PATH, "--setenv", "HOME", home]);
        for (name, value) in self.env {
            bwrap.args(["--setenv", name, value]);
        }
        bwrap.arg("--").arg(program).args(args).stdin(Stdio::null());
        bwrap
    }
}

fn this_machine(bwrap: &mut Command) {
    bwrap.args(["--ro-bind", "/usr", "/usr"]);
    for folder in PROGRAM_FOLDERS {
        match fs::read_link(folder) {
            Ok(target) => bwrap.arg("--symlink").arg(target).arg(folder),
            Err(_) => bwrap.args(["--ro-bind-try", folder, folder]),
        };
    }
    for file in SETTINGS {
        bwrap.args(["--ro-bind-try", file, file]);
    }
}

/// What `/proc` has beside processes: the kernel's own files. To some of them root may write whatever capabilities it has given up, and
/// whoever starts a jail as root is still root to them.
fn kernel_files() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let is_process = |name: &OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let of_kernel = entries.flatten().filter(|entry| !is_process(&entry.file_name()));
    // The links lead to the process that looks.
    of_kernel.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink())).map(|entry| entry.path()).collect()
}

/// Whether this machine can make a jail at all, so that what fails later is the command's own doing.
pub(super) fn check() -> Result<(), ImageError> {
    let jail = Jail { root: Root::ThisMachine, network: Network::None, writable: &[], dir: "/", env: &[] };
    let output = jail.command("/bin/sh", &["-c", "exit 0"]).output().map_err(|source| ImageError::NoJail { source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned();
    Err(ImageError::NoJail { source: io::Error::other(said) })
}

#[cfg(test)]
mod tests;
