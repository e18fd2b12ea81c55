//! What can go wrong with an import as a whole; a single file or report that cannot be taken is not in here.

use std::{io, path::PathBuf};

use crate::{client::ApiError, exit::Exit};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    #[error("could not read {}", .path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("there is nothing to import")]
    Nothing,
    #[error("--name-pattern is no regular expression with a group `hash` or `time`")]
    Pattern {
        #[source]
        source: Option<regex::Error>,
    },
    #[error("--hash and --time are for one file, found {found}: --name-pattern finds them in the names of several")]
    SeveralFiles { found: usize },
    #[error("there is no suite `{name}`: the file has {known}")]
    NoSuite { name: String, known: String },
    #[error(
        "benchmark `{benchmark}` is in the suites `{first}` and `{second}`: choose with --suite, or tell them apart with --prefix-suite"
    )]
    TwoSuites { benchmark: String, first: String, second: String },
    #[error("the results are of {} environments: choose one with --environment, and a --testbed for it", .names.len())]
    Environments { names: Vec<String> },
    #[error("no project is named: give --project (BENCHER_PROJECT)")]
    NoProject,
    #[error("stopped after {done} of {of} reports; the same command again goes on there")]
    Stopped {
        done: usize,
        of: usize,
        #[source]
        source: Box<ApiError>,
    },
}

impl ImportError {
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Folder { .. } => Exit::Local,
            Self::Nothing => Exit::Failed,
            Self::Pattern { .. }
            | Self::SeveralFiles { .. }
            | Self::NoSuite { .. }
            | Self::TwoSuites { .. }
            | Self::Environments { .. }
            | Self::NoProject => Exit::Usage,
            Self::Stopped { source, .. } => source.exit(),
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Environments { names } => Some(format!("they are {}", names.join(", "))),
            Self::Stopped { source, .. } => source.hint(),
            _ => None,
        }
    }
}
