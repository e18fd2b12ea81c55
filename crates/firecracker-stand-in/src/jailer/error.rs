//! Why there is no jail, in the jailer's words.

use std::{io, path::PathBuf};

#[derive(Debug, thiserror::Error)]
pub(crate) enum JailError {
    #[error("Invalid instance ID: Invalid len ({0});  the length must be between 1 and 64")]
    IdLength(usize),
    #[error("Invalid instance ID: Invalid char ({character}) at position {position}")]
    IdChar { character: char, position: usize },
    #[error("Failed to canonicalize path {}: {error}", .path.display())]
    Canonicalize { path: PathBuf, error: io::Error },
    #[error("{} is not a file", .0.display())]
    NotAFile(PathBuf),
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    #[error("Invalid filename. The filename of `--exec-file` option must contain \"firecracker\": {0}")]
    ExecFileName(String),
    #[error("Parent cgroup path is invalid. Path should not be absolute or contain '..' or '.'")]
    ParentCgroup,
    #[error("{0} is an invalid cgroup version specifier")]
    CgroupVersion(String),
    #[error("Invalid format for cgroups: {0}")]
    CgroupFormat(String),
    #[error("Cgroup invalid file: {0}")]
    CgroupFile(String),
    #[error("Hierarchy not found: {0}")]
    CgroupHierarchy(String),
    #[error("Controller {0} is unavailable")]
    CgroupController(String),
    #[error("Failed to inherit cgroups configurations from file {file} in path {}", .path.display())]
    CgroupInherit { path: PathBuf, file: String },
    #[error("Invalid format for resources limits: {0}")]
    LimitFormat(String),
    #[error("Invalid limit value for resource: {value}: {error}")]
    LimitValue { value: String, error: std::num::ParseIntError },
    #[error("Invalid resource argument: {0}")]
    LimitName(String),
    #[error("Failed to set limit for resource: {0}")]
    SetLimit(io::Error),
    #[error("Failed to create directory {}: {error}", .path.display())]
    CreateDir { path: PathBuf, error: io::Error },
    #[error("Failed to copy {} to {}: {error}", .from.display(), .to.display())]
    Copy { from: PathBuf, to: PathBuf, error: io::Error },
    #[error("Failed to open file {}: {error}", .path.display())]
    Open { path: PathBuf, error: io::Error },
    #[error("Failed to write to {}: {error}", .path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("Failed to join network namespace: netns: {0}")]
    SetNetNs(io::Error),
    #[error("Failed to unshare into new mount namespace: {0}")]
    Unshare(io::Error),
    #[error("Failed to change the propagation type to slave: {0}")]
    Propagation(io::Error),
    #[error("Failed to bind mount the jail root directory: {0}")]
    BindRoot(io::Error),
    #[error("Failed to create the jail root directory before pivoting root: {0}")]
    OldRoot(io::Error),
    #[error("Failed to pivot root: {0}")]
    Pivot(io::Error),
    #[error("Failed to unmount the old jail root: {0}")]
    UnmountOldRoot(io::Error),
    #[error("Failed to change owner for {}: {error}", .path.display())]
    Chown { path: PathBuf, error: io::Error },
    #[error("Failed to change permissions on {}: {error}", .path.display())]
    Chmod { path: PathBuf, error: io::Error },
    #[error("Failed to create {device} via mknod inside the jail: {error}")]
    Mknod { device: &'static str, error: io::Error },
    #[error("Failed to daemonize: setsid: {0}")]
    Setsid(io::Error),
    #[error("Failed cloning into a new child process: {0}")]
    Clone(io::Error),
    #[error("Failed to exec into Firecracker: {0}")]
    Exec(io::Error),
    /// No error of the jailer's: what the stand-in needs in the jail.
    #[error("the stand-in could not bring {what} into the jail: {error}")]
    Furnish { what: String, error: io::Error },
    #[error(transparent)]
    Tools(#[from] firecracker_stand_in::tools::ToolsError),
}
