//! What the process's exit code says. A contract with scripts: numbers stay.

/// Why the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// `up`: stopped as told. `run`: the benchmark succeeded.
    Success = 0,
    /// Something here failed: the image, the disk, the sandbox.
    Failure = 1,
    /// The command line or the environment is wrong.
    Usage = 2,
    /// `run`: the benchmark exited with another code than 0, was killed, or took too long.
    Benchmark = 3,
    /// `up`: another runner uses the data folder.
    InUse = 4,
    /// Stopped by a signal before the work was done.
    Interrupted = 130,
}

/// The same for `--help`.
pub const HELP: &str = "\
Exit codes:
  0    stopped as told; the benchmark succeeded
  1    something here failed: the image, the disk, the sandbox
  2    the command line or the environment is wrong
  3    `run`: the benchmark exited with another code than 0, was killed, or took too long
  4    `up`: another runner uses the data folder
  130  stopped by a signal before the work was done";

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
