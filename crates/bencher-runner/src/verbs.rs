//! The verbs about a runner that is there already: what is asked, what is printed, how it exits.
//!
//! Data goes to stdout, talk to stderr.

use std::io::{self, IsTerminal as _, Write as _};

use bencher_oci::IoError;
use serde::Serialize;

pub(crate) use print::{plain, size, text};

use crate::{
    cache::{Keeper, Remove},
    cli::{CacheArgs, CacheCommand, DataArgs, OutputFormat, VerifyArgs},
    config::{self, ConfigError},
    control::client::AskError,
    exit::Exit,
};

mod print;
pub mod start;
pub mod status;
pub mod stop;

/// Why a verb could not do what it is for.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("could not look after the kept images")]
    Cache(#[from] IoError),
    #[error("could not write to stdout")]
    Print(#[source] io::Error),
    #[error(transparent)]
    Start(#[from] start::StartError),
}

/// # Errors
/// The folder cannot be read, or the disk refuses.
pub fn cache(command: &CacheCommand) -> Result<Exit, VerbError> {
    let (CacheCommand::List(args) | CacheCommand::Clear(args) | CacheCommand::Verify(VerifyArgs { cache: args, .. })) = command;
    let CacheArgs { data, format } = args;
    let keeper = Keeper::open(&data_dir(data)?.join("images"))?;
    match command {
        CacheCommand::List(_) => say(*format, &keeper.list()?, print::list)?,
        CacheCommand::Clear(_) => say(*format, &keeper.clear()?, print::cleared)?,
        CacheCommand::Verify(args) => {
            let remove = if args.remove { Remove::Damaged } else { Remove::Nothing };
            let verified = keeper.verify(remove)?;
            say(*format, &verified, print::verified)?;
            if !verified.damaged.is_empty() {
                return Ok(Exit::Finding);
            }
        }
    }
    Ok(Exit::Success)
}

fn data_dir(args: &DataArgs) -> Result<std::path::PathBuf, ConfigError> {
    config::data_dir(args.data_dir.as_deref())
}

/// Prints data in the format that was asked for.
pub(crate) fn say<T: Serialize>(format: OutputFormat, data: &T, table: impl FnOnce(&T) -> String) -> Result<(), VerbError> {
    let text = match format {
        OutputFormat::Table => table(data),
        OutputFormat::Json => serde_json::to_string_pretty(data).map_err(|error| VerbError::Print(error.into()))? + "\n",
    };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever read it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(VerbError::Print),
    }
}

/// Talk: for people, on stderr.
pub(crate) fn talk(text: &str) {
    // Where nobody can be told, nothing is to be done.
    let _ = writeln!(io::stderr(), "{text}");
}

fn on_a_terminal() -> bool {
    io::stderr().is_terminal()
}
