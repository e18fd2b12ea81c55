//! The command line together with the configuration file: flags, then environment, then file, then defaults.

use std::{ffi::OsString, path::Path};

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, error::ErrorKind, parser::ValueSource};

use super::file::{self, FileError, Values};
use crate::cli::{Cli, Command, SandboxKind};

/// A command line that cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Also where only help or the version was asked for: it prints itself.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("both a key and a key file are given ({0}); leave one of them out")]
    TwoKeys(&'static str),
}

/// Takes the arguments apart, with the file's values where neither they nor the environment say something.
///
/// # Errors
/// The arguments or the file are wrong, or help was asked for.
pub fn parse(args: &[OsString], usual_file: &Path) -> Result<Cli, LineError> {
    // First without the file: whether help is asked for, and which file.
    let first = relaxed(Cli::command()).try_get_matches_from(args)?;
    let Some((verb, arguments)) = first.subcommand() else { return Ok(Cli::from_arg_matches(&first)?) };
    let verb_of_cache = arguments.subcommand();
    let named = match (verb, verb_of_cache) {
        // What a run without a server takes of the file is about microVMs.
        ("run", _) if arguments.get_one("sandbox") == Some(&SandboxKind::Firecracker) => Some(config_of(arguments)),
        ("run" | "start" | "install-deps", _) => None,
        ("cache", Some((_, arguments))) => Some(config_of(arguments)),
        _ => Some(config_of(arguments)),
    };
    let values = match named {
        Some(named) => file::read(named.map(|path| path.as_path()), usual_file)?,
        None => None,
    };
    let mut command = Cli::command();
    if let Some(values) = &values {
        command = with_defaults(command, values);
    }
    let matches = command.try_get_matches_from(args).map_err(|error| match &values {
        // Without the file the line was fine, so it is a value of the file.
        Some(values) if error.kind() != ErrorKind::MissingRequiredArgument => {
            LineError::File(FileError::Value { path: values.path.clone(), problem: first_line(&error) })
        }
        _ => LineError::Usage(error),
    })?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    match &mut cli.command {
        Command::Up(up) => {
            if let Some(arguments) = matches.subcommand_matches("up") {
                one_key(arguments, &mut up.key, &mut up.key_file)?;
            }
        }
        Command::Doctor(doctor) => {
            if let Some(arguments) = matches.subcommand_matches("doctor") {
                one_key(arguments, &mut doctor.key, &mut doctor.key_file)?;
            }
        }
        _ => {}
    }
    Ok(cli)
}

fn config_of(arguments: &ArgMatches) -> Option<&std::path::PathBuf> {
    arguments.try_get_one("config").ok().flatten()
}

/// Nothing is required: the file may have it.
fn relaxed(command: clap::Command) -> clap::Command {
    command.mut_subcommand("up", |up| up.mut_args(|arg| arg.required(false)))
}

fn with_defaults(command: clap::Command, values: &Values) -> clap::Command {
    let default = |arg: clap::Arg| match values.by_key.get(arg.get_id().as_str()) {
        // What has no value is a list of none.
        Some(value) if value.is_empty() => arg.required(false),
        Some(value) => arg.required(false).default_value(value.clone()),
        None => arg,
    };
    let of_micro_vms = |arg: clap::Arg| if file::is_of_micro_vms(arg.get_id().as_str()) { default(arg) } else { arg };
    let command = command.mut_args(default);
    let names: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        if name == "run" {
            return command.mut_subcommand(name, |verb| verb.mut_args(of_micro_vms));
        }
        command.mut_subcommand(name, |verb| {
            let below: Vec<String> = verb.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
            let verb = verb.mut_args(default);
            below.into_iter().fold(verb, |verb, name| verb.mut_subcommand(name, |verb| verb.mut_args(default)))
        })
    })
}

/// Of a key and a key file, the one that was said more expressly.
fn one_key<K, F>(arguments: &ArgMatches, key: &mut Option<K>, key_file: &mut Option<F>) -> Result<(), LineError> {
    if key.is_none() || key_file.is_none() {
        return Ok(());
    }
    let rank = |source: Option<ValueSource>| match source {
        Some(ValueSource::CommandLine) => (2, "on the command line"),
        Some(ValueSource::EnvVariable) => (1, "in the environment"),
        _ => (0, "in the configuration file"),
    };
    let (of_key, place) = rank(arguments.value_source("key"));
    let (of_file, _) = rank(arguments.value_source("key_file"));
    match of_key.cmp(&of_file) {
        std::cmp::Ordering::Less => *key = None,
        std::cmp::Ordering::Greater => *key_file = None,
        std::cmp::Ordering::Equal => return Err(LineError::TwoKeys(place)),
    }
    Ok(())
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests;
