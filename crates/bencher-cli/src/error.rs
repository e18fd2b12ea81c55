//! The one error that reaches `main`: what it says, what to do about it, and the exit code it means.

use std::{error::Error, fmt::Write as _, io, path::PathBuf};

use crate::{
    client::ApiError,
    commands::{analyze::series::SeriesError, docker::DockerError, image::ImageError, import::ImportError, run::RunError},
    exit::Exit,
    output::printable,
    profile::ProfileError,
};

/// Why a command ended badly.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error("could not write to standard output")]
    Stdout(#[source] io::Error),
    #[error(transparent)]
    Series(#[from] SeriesError),
    #[error(transparent)]
    Docker(#[from] DockerError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error("could not use the folder {}", folder.display())]
    Folder {
        folder: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not start `{}`, the program of benchmark machines", program.display())]
    Runner {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Arguments that are valid one by one but not together.
    #[error("{0}")]
    Usage(String),
    #[error("there is no `{name}` among the {kind}")]
    NoSuchName { kind: String, name: String },
    #[error("there is no {kind} with the name or UUID `{name}` here; the `list` beside this command shows what there is")]
    NoSuchCredential { kind: &'static str, name: String },
    #[error("{} {kind}s are called `{name}`: say which one by its UUID, {}", .uuids.len(), .uuids.join(" or "))]
    Ambiguous { kind: &'static str, name: String, uuids: Vec<String> },
    #[error("nothing was done: you did not say yes")]
    Declined,
}

impl CliError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Api(error) => error.exit(),
            Self::Run(error) => error.exit(),
            Self::Image(error) => error.exit(),
            Self::Import(error) => error.exit(),
            Self::Docker(error) => error.exit(),
            Self::Profile(error) => error.exit(),
            Self::Series(_) | Self::Stdout(_) | Self::Folder { .. } | Self::Runner { .. } => Exit::Local,
            Self::Usage(_) => Exit::Usage,
            Self::NoSuchName { .. } | Self::NoSuchCredential { .. } | Self::Ambiguous { .. } => Exit::Refused,
            Self::Declined => Exit::Interrupted,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Api(error) => error.hint(),
            Self::Run(error) => error.hint(),
            Self::Image(error) => error.hint(),
            Self::Import(error) => error.hint(),
            Self::Runner { .. } => Some("install `runner` beside `bencher` or on the PATH".to_owned()),
            Self::NoSuchName { kind, .. } => Some(format!(
                "what is archived already is not looked through, and so the other way round; see `bencher {} list`",
                singular(kind)
            )),
            Self::Series(_)
            | Self::Docker(_)
            | Self::Profile(_)
            | Self::Stdout(_)
            | Self::Folder { .. }
            | Self::Usage(_)
            | Self::NoSuchCredential { .. }
            | Self::Ambiguous { .. }
            | Self::Declined => None,
        }
    }

    /// Whoever read our output has closed it: nothing to complain about.
    pub(crate) fn is_closed_output(&self) -> bool {
        matches!(self, Self::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The error, its causes and its hint, as several lines.
    pub(crate) fn report(&self) -> String {
        let mut text = format!("error: {self}");
        let mut said = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = error.to_string();
            // Libraries often repeat the cause in the text of the error above it.
            if !said.contains(&message) {
                let _ = write!(text, "\n  cause: {message}");
            }
            said = message;
            cause = error.source();
        }
        if let Some(hint) = self.hint() {
            let _ = write!(text, "\n  hint: {hint}");
        }
        printable(&text)
    }
}

/// The command of a kind of thing.
fn singular(kind: &str) -> &str {
    kind.strip_suffix("es").filter(|stem| stem.ends_with("ch")).or_else(|| kind.strip_suffix('s')).unwrap_or(kind)
}

#[cfg(test)]
mod tests;
