//! Where the programs are that a guest is made of.
//!
//! A jail has an environment without words and a file system of its own: there they are in [`JAIL_FOLDER`], where the
//! jailer's stand-in put them. Elsewhere they are beside the stand-in, as Cargo and `cargo xtask setup` leave them.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
};

/// The folder in a jail with what the stand-in needs, gone with the jail's mounts.
pub const JAIL_FOLDER: &str = "/.stand-in";
/// The folder in [`JAIL_FOLDER`] for sockets and the guest's memory, owned by the jailed user.
pub const RUN_FOLDER: &str = "run";
/// What is loaded into the kernel.
pub const SHIM: &str = "libuml_shim.so";
/// The program behind the vsock device.
pub const VSOCK: &str = "vhost-device-vsock";
/// As `linux.uml` ends where its guest asked for a restart: the shim's word.
pub const REBOOT_EXIT_CODE: i32 = 82;

/// The programs, or why a guest cannot start.
#[derive(Clone, Debug)]
pub struct Tools {
    pub shim: PathBuf,
    pub vsock: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    #[error("there is no {SHIM} beside {beside}; `cargo build --workspace` makes it")]
    NoShim { beside: PathBuf },
    #[error("there is no {VSOCK} in {folder} nor on the path; `cargo xtask setup` installs it")]
    NoVsock { folder: PathBuf },
}

impl Tools {
    /// What the jailer's stand-in left in a jail; none outside of one.
    #[must_use]
    pub fn in_jail() -> Option<Self> {
        let folder = Path::new(JAIL_FOLDER);
        folder.join(RUN_FOLDER).is_dir().then(|| Self { shim: folder.join(SHIM), vsock: folder.join(VSOCK) })
    }

    /// Looks beside the program `exe`, which Cargo built, and on `path`.
    ///
    /// # Errors
    /// Something is not installed.
    pub fn beside(exe: &Path, path: Option<&OsStr>) -> Result<Self, ToolsError> {
        let folder = exe.parent().unwrap_or(Path::new("/"));
        let shims = [folder.join(SHIM), folder.join("deps").join(SHIM)];
        let shim = shims.into_iter().find(|file| file.is_file());
        let installed = folder.parent().unwrap_or(folder).join("tools/bin");
        let mut folders = vec![installed.clone()];
        folders.extend(path.iter().flat_map(env::split_paths));
        let vsock = folders.into_iter().map(|folder| folder.join(VSOCK)).find(|file| file.is_file());
        Ok(Self {
            shim: shim.ok_or_else(|| ToolsError::NoShim { beside: exe.to_owned() })?,
            vsock: vsock.ok_or(ToolsError::NoVsock { folder: installed })?,
        })
    }
}
