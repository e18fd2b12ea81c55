//! The command line: what can be typed. Argument structs only; what they do is in `commands`.

pub(crate) mod account;
pub(crate) mod image;
pub(crate) mod machine;
pub(crate) mod profile;
pub(crate) mod project;
pub(crate) mod run;
pub(crate) mod tools;

use bencher_types::Secret;
use clap::{Args, Parser, Subcommand, ValueEnum, parser::ValueSource};
use url::Url;

use crate::{exit, limits};

/// Continuous benchmarking on your own machines.
#[derive(Debug, Parser)]
#[command(name = "bencher", version, after_help = exit::HELP, max_term_width = 100, infer_subcommands = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: AnyCommand,
}

/// Flags that every command has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The server's address
    #[arg(long, global = true, env = "BENCHER_HOST", default_value = limits::DEFAULT_HOST, value_name = "URL")]
    pub host: Url,

    /// The profile to take the server and the credential from; see `bencher profile`
    #[arg(long, global = true, env = "BENCHER_PROFILE", value_name = "NAME")]
    pub profile: Option<String>,

    /// A token from `bencher auth confirm`
    #[arg(
        long = "token",
        id = "api-token",
        global = true,
        env = "BENCHER_API_TOKEN",
        hide_env_values = true,
        value_name = "JWT"
    )]
    pub token: Option<Secret>,

    /// A key (`bencher_user_…`) from `bencher user key create`
    #[arg(long = "key", id = "api-key", global = true, env = "BENCHER_API_KEY", hide_env_values = true, value_name = "KEY")]
    pub key: Option<Secret>,

    /// Accept any certificate of the server
    #[arg(long, global = true)]
    pub insecure_host: bool,

    /// Trust the certificates of the operating system (always done)
    #[arg(long, global = true, hide = true)]
    pub native_tls: bool,

    /// Seconds that one request may take
    #[arg(
        long, global = true, value_name = "SECONDS", default_value_t = limits::DEFAULT_TIMEOUT_SECS,
        value_parser = clap::value_parser!(u32).range(1..=limits::MAX_WAIT_SECS)
    )]
    pub timeout: u32,

    /// How often to try where the server cannot be reached or fails
    #[arg(
        long, global = true, value_name = "N", default_value_t = limits::DEFAULT_ATTEMPTS,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub attempts: u32,

    /// Seconds before the second try; doubles with each
    #[arg(
        long, global = true, value_name = "SECONDS", default_value_t = limits::DEFAULT_RETRY_AFTER_SECS,
        value_parser = clap::value_parser!(u32).range(0..=limits::MAX_WAIT_SECS)
    )]
    pub retry_after: u32,

    /// The most seconds between two tries
    #[arg(
        long, global = true, value_name = "SECONDS", default_value_t = limits::DEFAULT_MAX_RETRY_AFTER_SECS,
        value_parser = clap::value_parser!(u32).range(0..=limits::MAX_WAIT_SECS)
    )]
    pub max_retry_after: u32,

    /// Fail on answers that this version does not fully understand, instead of printing their JSON
    #[arg(long, global = true)]
    pub strict: bool,

    /// How to print the result
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub format: Format,

    /// Say more, such as every failed attempt
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// How a result is printed on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables for people
    #[value(alias = "table")]
    Human,
    /// The server's JSON
    Json,
}

/// Two ways to say who one is, where only one can be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--token (BENCHER_API_TOKEN) and --key (BENCHER_API_KEY) exclude each other: give only one")]
pub(crate) struct TwoCredentials;

/// What a request proves with who sends it.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    /// `--token`.
    Token(Secret),
    /// `--key`.
    Key(Secret),
}

impl Credential {
    pub(crate) fn secret(&self) -> &Secret {
        match self {
            Self::Token(secret) | Self::Key(secret) => secret,
        }
    }
}

impl Global {
    /// The token or the key, and what it was given with. What was typed wins over what the environment says.
    ///
    /// # Errors
    /// Both were typed, or neither was and the environment has both.
    pub(crate) fn credential(&self, matches: &clap::ArgMatches) -> Result<Option<Credential>, TwoCredentials> {
        let typed = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
        let token = || self.token.clone().map(Credential::Token);
        match (&self.token, &self.key) {
            (Some(_), Some(_)) if typed("api-token") == typed("api-key") => Err(TwoCredentials),
            (Some(_), Some(_)) if typed("api-token") => Ok(token()),
            (_, Some(key)) => Ok(Some(Credential::Key(key.clone()))),
            (_, None) => Ok(token()),
        }
    }

    /// The server's address, unless nobody named one.
    pub(crate) fn named_host(&self, matches: &clap::ArgMatches) -> Option<Url> {
        (matches.value_source("host") != Some(ValueSource::DefaultValue)).then(|| self.host.clone())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum AnyCommand {
    #[command(flatten)]
    OfServer(Command),
    #[command(flatten)]
    OfThisMachine(tools::Tool),
}

/// Commands that ask a server.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure something, here or on a runner, and report the results
    Run(Box<run::Run>),
    /// Images: what runners run
    #[command(subcommand)]
    Image(image::Image),
    /// Sign up and log in
    #[command(subcommand)]
    Auth(account::Auth),
    /// Users and their keys
    #[command(subcommand)]
    User(account::User),
    /// Organizations
    #[command(subcommand, alias = "org")]
    Organization(account::Organization),
    /// Projects
    #[command(subcommand)]
    Project(account::Project),
    /// Benchmark machines (server admins only)
    #[command(subcommand)]
    Runner(machine::Runner),
    /// The shapes of machine that jobs can ask for (server admins only)
    #[command(subcommand)]
    Spec(machine::Spec),
    /// Jobs: benchmarks that runners run
    #[command(subcommand)]
    Job(project::Job),
    /// Reports: the results of runs
    #[command(subcommand)]
    Report(project::Report),
    /// Branches
    #[command(subcommand)]
    Branch(project::Branch),
    /// Testbeds
    #[command(subcommand)]
    Testbed(project::Testbed),
    /// Benchmarks
    #[command(subcommand)]
    Benchmark(project::Benchmark),
    /// Measures
    #[command(subcommand)]
    Measure(project::Measure),
    /// The server itself
    #[command(subcommand)]
    Server(machine::Server),
    /// Who you are, where, and whether the server is well
    Status,
}

/// Which part of a list to show, in which order.
#[derive(Debug, Args)]
#[command(next_help_heading = "List options")]
pub(crate) struct Page {
    /// What to sort by, such as `name` or `created`
    #[arg(long, value_name = "FIELD")]
    pub sort: Option<String>,
    /// Upwards or downwards
    #[arg(long, value_enum)]
    pub direction: Option<Direction>,
    /// Items per page
    #[arg(long, value_name = "N")]
    pub per_page: Option<u8>,
    /// Which page, from 1
    #[arg(long, value_name = "N")]
    pub page: Option<u32>,
}

/// Which items of a list to show.
#[derive(Debug, Args)]
#[command(next_help_heading = "List options")]
pub(crate) struct Filter {
    /// Only what has exactly this name
    #[arg(long)]
    pub name: Option<String>,
    /// Only what has this text in its name, slug or UUID
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    #[command(flatten)]
    pub page: Page,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Direction {
    Asc,
    Desc,
}

/// A query of a list request.
pub(crate) type Query = Vec<(&'static str, String)>;

impl Page {
    pub(crate) fn query(&self) -> Query {
        let direction = self.direction.map(|direction| match direction {
            Direction::Asc => "asc".to_owned(),
            Direction::Desc => "desc".to_owned(),
        });
        pairs([
            ("sort", self.sort.clone()),
            ("direction", direction),
            ("per_page", self.per_page.map(|n| n.to_string())),
            ("page", self.page.map(|n| n.to_string())),
        ])
    }
}

impl Filter {
    pub(crate) fn query(&self) -> Query {
        let mut query = pairs([("name", self.name.clone()), ("search", self.search.clone())]);
        query.extend(self.page.query());
        query
    }
}

/// The pairs that have a value.
pub(crate) fn pairs<const N: usize>(pairs: [(&'static str, Option<String>); N]) -> Query {
    pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests;
