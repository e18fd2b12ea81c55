//! `bencher`, the command line of people and CI: reads arguments and environment, runs one command, sets the exit code.

mod cli;
mod client;
mod clock;
mod commands;
mod config;
mod connection;
mod error;
mod exit;
mod limits;
mod output;
mod private_file;
mod profile;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::{
    cli::{AnyCommand, Cli, Command, Format, Global, organization::Organization},
    client::{Attempt, Client, ClientConfig, RetryPolicy},
    commands::Context,
    connection::Connection,
    error::CliError,
    exit::Exit,
    output::Out,
    profile::ProfileFile,
};

fn main() -> anyhow::Result<ExitCode> {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());

    // The terminal, not we, says whether colour is wanted: https://no-color.org.
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let out = Out::new(cli.format(io::stdout().is_terminal()), cli.global.strict, cli.global.verbose, no_color);

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
    let is_usage = matches!(&cli.command, AnyCommand::OfServer(Command::Organization(Organization::Usage { .. })));
    if out.format == Format::Csv && !is_usage {
        return Err(CliError::Usage("only `bencher organization usage` prints CSV; --format is human or json".into()));
    }
    let profiles = ProfileFile::new(config::profile_file());
    let mut command = match cli.command {
        AnyCommand::OfThisMachine(tool) => {
            return commands::tool(tool, out, &profiles, || connection::given(&cli.global, matches));
        }
        AnyCommand::OfServer(command) => command,
    };
    let connection = Connection::choose(&cli.global, matches, &profiles)?;
    if connection.is_from_open_file(&profiles) {
        out.talk("warning: others on this machine can read the file with your credential; `chmod 600` it");
    }
    if matches!(out.format, Format::Html | Format::Markdown) && !matches!(command, Command::Run(_)) {
        return Err(CliError::Usage("only `bencher run` prints HTML or Markdown; --format is human or json".into()));
    }
    if let Command::Run(run) = &mut command
        && run.project.is_none()
    {
        run.project.clone_from(&connection.project);
    }
    let client = Client::new(client_config(&cli.global, &connection, out)?)?;
    let context = Context {
        client,
        connection,
        out,
        image_cache: config::image_cache(),
        docker_config: config::docker_config(),
        login_files: config::login_files(),
        engines: config::engines(),
    };
    commands::dispatch(command, context).await
}

fn client_config(global: &Global, connection: &Connection, out: Out) -> Result<ClientConfig, CliError> {
    let host = &connection.host;
    if !matches!(host.scheme(), "http" | "https") || host.cannot_be_a_base() {
        return Err(CliError::Usage(format!("`{host}` is not the address of a server: expected http://… or https://…")));
    }
    Ok(ClientConfig {
        host: host.clone(),
        credential: connection.credential.as_ref().map(|credential| credential.secret().clone()),
        insecure_host: global.insecure_host,
        headers: &[],
        timeout: Duration::from_secs(global.timeout.into()),
        retry: RetryPolicy {
            attempts: global.attempts,
            first: Duration::from_secs(global.retry_after.into()),
            longest: Duration::from_secs(global.max_retry_after.into()),
            patience: limits::MAX_RETRY_AFTER,
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
