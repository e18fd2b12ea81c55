//! The exit codes of `bencher`: a contract with scripts and CI, listed in `--help`.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked to do.
    Ok,
    /// The benchmark or its job failed, or not all of its results or files to import could be read.
    Failed,
    /// The command line was wrong. Also what the argument parser exits with.
    Usage,
    /// The server refused: not allowed, not found, not valid, already there.
    Refused,
    /// The server could not be reached, kept failing, or is no `bencher` server.
    Unreachable,
    /// There are active alerts and `--error-on-alert` was given, or a comparison found a regression.
    Alert,
    /// The job was canceled.
    Canceled,
    /// Something on this machine: a file, a folder, a terminal.
    Local,
    /// Ctrl-C, a request to terminate, or a question that was not answered with yes.
    Interrupted,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unreachable => 4,
            Self::Alert => 5,
            Self::Canceled => 6,
            Self::Local => 7,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The part of `--help` that documents the codes.
pub(crate) const HELP: &str = "\
Exit codes:
  0    done
  1    the benchmark or its job failed, or not all of its results or files to import could be read
  2    the command line is wrong
  3    the server refused
  4    the server could not be reached or kept failing
  5    there are active alerts and --error-on-alert was given, or a comparison found a regression
  6    the job was canceled
  7    something on this machine failed: a file, a folder, a terminal
  130  interrupted, or a question was not answered with yes

Standard output carries data only; everything else goes to standard error. Data is a table on a \
terminal and JSON elsewhere (of `bencher run` a table everywhere), unless --format says otherwise. \
Questions are asked only on a terminal.";
