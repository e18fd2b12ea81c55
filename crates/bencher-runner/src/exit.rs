//! What the process's exit code says. A contract with scripts: numbers stay.

/// Why the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done: stopped as told, all well, the benchmark succeeded.
    Success = 0,
    /// Something here failed: the image, the disk, the sandbox.
    Failure = 1,
    /// The command line, the environment, the configuration file or the key is wrong.
    Usage = 2,
    /// `run`: the benchmark exited with another code than 0, was killed, or took too long.
    Benchmark = 3,
    /// `up`: another runner uses the data folder.
    InUse = 4,
    /// `status`, `stop`: no runner uses the data folder.
    NotRunning = 5,
    /// `stop`: the runner still works.
    StillRunning = 6,
    /// `doctor`: something that `up` needs is missing. `cache verify`: something is damaged.
    Finding = 7,
    /// `up`, `run`: this machine or user cannot run benchmarks: no root, no container runtime, nothing to make microVMs with,
    /// no writable data folder. `install-deps`: this user may not write there.
    Unable = 8,
    /// Stopped by a signal before the work was done.
    Interrupted = 130,
}

/// The same for `--help`.
pub const HELP: &str = "\
Exit codes:
  0    done: stopped as told, all well, the benchmark succeeded
  1    something here failed: the image, the disk, the sandbox
  2    the command line, the environment, the configuration file or the key is wrong
  3    `run`: the benchmark exited with another code than 0, was killed, or took too long
  4    `up`: another runner uses the data folder
  5    `status`, `stop`: no runner uses the data folder
  6    `stop`: the runner still works when --timeout is over
  7    `doctor`: something that `up` needs is missing; `cache verify`: something is damaged
  8    `up`, `run`: this machine or user cannot run benchmarks: no root, no crun, no Firecracker, no writable data folder;
       `install-deps`: this user may not write there
  130  stopped by a signal before the work was done";

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
