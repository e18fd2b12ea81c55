//! `bencher`, the command line of people and CI: reads arguments and environment, runs one command, sets the exit code.

mod cli;
mod client;
mod clock;
mod commands;
mod error;
mod exit;
mod limits;
mod output;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::{
    cli::{Cli, Command, Global},
    client::{Attempt, Client, ClientConfig, RetryPolicy},
    commands::Context,
    error::CliError,
    exit::Exit,
    output::Out,
};

fn main() -> anyhow::Result<ExitCode> {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());

    // The terminal, not we, says whether colour is wanted: https://no-color.org.
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let out = Out::new(cli.global.format, cli.global.strict, cli.global.verbose, no_color);

    // Another part of this program may have installed the same provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(run(cli, &matches, out));
    // A question to the user may still be open; the answer does not matter any more.
    runtime.shutdown_background();

    Ok(match ended {
        Ok(exit) => exit,
        Err(error) if error.is_closed_output() => Exit::Ok,
        Err(error) => {
            out.talk(&error.report());
            error.exit()
        }
    }
    .into())
}

async fn run(cli: Cli, matches: &clap::ArgMatches, out: Out) -> Result<Exit, CliError> {
    if let Command::Completions { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "bencher", &mut script);
        io::stdout().write_all(&script).map_err(CliError::Stdout)?;
        return Ok(Exit::Ok);
    }
    let client = Client::new(client_config(&cli.global, matches, out)?)?;
    commands::dispatch(cli.command, Context { client, out, image_cache: image_cache() }).await
}

/// The cache of the XDG base directory specification; a relative path in the variable is to be ignored.
fn image_cache() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("bencher").join("images"))
}

fn client_config(global: &Global, matches: &clap::ArgMatches, out: Out) -> Result<ClientConfig, CliError> {
    if !matches!(global.host.scheme(), "http" | "https") || global.host.cannot_be_a_base() {
        return Err(CliError::Usage(format!("`{}` is not the address of a server: expected http://… or https://…", global.host)));
    }
    let credential = global.credential(matches).map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(ClientConfig {
        host: global.host.clone(),
        credential,
        insecure_host: global.insecure_host,
        timeout: Duration::from_secs(global.timeout.into()),
        retry: RetryPolicy {
            attempts: global.attempts,
            first: Duration::from_secs(global.retry_after.into()),
            longest: Duration::from_secs(global.max_retry_after.into()),
        },
        // A log is told as well, if less often: a wrong host must not look like a job that hangs.
        on_retry: if out.verbose || out.stderr_terminal { say_retry } else { say_news },
    })
}

fn say_news(attempt: &Attempt<'_>) {
    if attempt.is_news {
        say_retry(attempt);
    }
}

fn say_retry(attempt: &Attempt<'_>) {
    let Attempt { number, of, error, wait, .. } = attempt;
    let _ = writeln!(io::stderr().lock(), "{error}; attempt {number} of {of}, the next in {} s", wait.as_secs());
}
