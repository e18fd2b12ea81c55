//! Where the log goes, and what of it.

use std::{fs::OpenOptions, io, io::IsTerminal as _, path::PathBuf, sync::Mutex};

use tracing_subscriber::{EnvFilter, fmt::writer::BoxMakeWriter};

use crate::config::{IfExists, Log, LogFormat, Logging};

/// What is logged where nothing is said about it.
const DEFAULT_FILTER: &str = "info";

/// Libraries that write whole messages at the level TRACE, and with them the keys and environments in those.
const QUIET: [&str; 2] = ["tungstenite=info", "tokio_tungstenite=info"];

/// The log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("could not open the log file {}; change `logging.log.file` in the configuration", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Begins to log, as configured. `filter` comes from the command line and goes before the configured level.
///
/// # Errors
/// The log file cannot be opened.
pub fn init(filter: Option<EnvFilter>, logging: Option<&Logging>) -> Result<(), LogError> {
    let log = logging.map(|logging| &logging.log);
    let level = match log {
        Some(Log::StderrTerminal { level } | Log::File { level, .. }) => level.directive(),
        None => DEFAULT_FILTER,
    };
    let filter = QUIET.iter().fold(filter.unwrap_or_else(|| EnvFilter::new(level)), |filter, quiet| {
        filter.add_directive(quiet.parse().expect("a directive of ours"))
    });
    let format = logging.map(|logging| logging.format).unwrap_or_default();
    let (writer, is_terminal) = match log {
        Some(Log::File { path, if_exists, .. }) => {
            let mut options = OpenOptions::new();
            match if_exists {
                IfExists::Fail => options.write(true).create_new(true),
                IfExists::Truncate => options.write(true).create(true).truncate(true),
                IfExists::Append => options.append(true).create(true),
            };
            let file = options.open(path).map_err(|source| LogError::Open { path: path.clone(), source })?;
            (BoxMakeWriter::new(Mutex::new(file)), false)
        }
        Some(Log::StderrTerminal { .. }) | None => (BoxMakeWriter::new(io::stderr), io::stderr().is_terminal()),
    };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match format {
        // Colours are for people: a log in a file is searched.
        LogFormat::Text => subscriber.with_ansi(is_terminal).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).with_current_span(false).init(),
    }
    Ok(())
}
