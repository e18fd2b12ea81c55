//! `logging`: where the log goes, and how much of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Logging {
    /// The name of the installation's log. Kept, and not used: each line names the part of the server that wrote it.
    pub name: Option<String>,
    pub log: Log,
    /// How the lines are written. A key of ours.
    #[serde(default)]
    pub format: LogFormat,
}

/// How the lines of the log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object per line, for programs.
    Json,
}

/// Where the log goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Log {
    StderrTerminal {
        level: LogLevel,
    },
    File {
        level: LogLevel,
        path: PathBuf,
        #[serde(default)]
        if_exists: IfExists,
    },
}

/// The least important lines that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    /// The same as `error`: there is nothing above it here.
    Critical,
}

impl LogLevel {
    /// What the log filter calls it.
    #[must_use]
    pub const fn directive(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error | Self::Critical => "error",
        }
    }
}

/// What becomes of a log file that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IfExists {
    Fail,
    Truncate,
    #[default]
    Append,
}
