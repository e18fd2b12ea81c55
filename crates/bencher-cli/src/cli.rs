//! The command line: what can be typed. Argument structs only; what they do is in `commands`.

pub(crate) mod account;
pub(crate) mod analyze;
pub(crate) mod change_point;
pub(crate) mod ci;
pub(crate) mod compare;
pub(crate) mod dimension;
pub(crate) mod history;
pub(crate) mod image;
pub(crate) mod import;
pub(crate) mod machine;
pub(crate) mod organization;
pub(crate) mod profile;
pub(crate) mod project;
pub(crate) mod registry;
pub(crate) mod run;
pub(crate) mod threshold;
pub(crate) mod tools;

use bencher_types::{DateTime, Secret};
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
    #[arg(long, global = true, env = "BENCHER_HOST", hide_env_values = true, default_value = limits::DEFAULT_HOST, value_name = "URL")]
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

    /// A key of a user (`bencher_user_…`) or of a project (`bencher_run_…`), from `key create`
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

    /// How to print the result: by default a table on a terminal, JSON into a file or pipe (`run` prints a table into both)
    #[arg(long, global = true, value_enum)]
    pub format: Option<Format>,

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
    /// HTML, for a comment on a change (`bencher run` only)
    Html,
    /// Markdown as GitHub and GitLab read it, for the same (`bencher run` only)
    #[value(alias = "md")]
    Markdown,
    /// Comma-separated values, for a spreadsheet (`bencher organization usage` only)
    Csv,
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

impl Cli {
    /// How to print, where standard output is a terminal or is none.
    pub(crate) fn format(&self, terminal: bool) -> Format {
        let usual = if terminal || self.command.is_for_people() { Format::Human } else { Format::Json };
        self.global.format.unwrap_or(usual)
    }
}

impl AnyCommand {
    const fn is_for_people(&self) -> bool {
        match self {
            Self::OfServer(command) => command.is_for_people(),
            Self::OfThisMachine(_) => true,
        }
    }
}

impl Command {
    /// Whether its output is text for people even where no person looks, unless `--format` says otherwise. Everything else
    /// prints JSON into files and pipes, as scripts of v0.6 expect.
    const fn is_for_people(&self) -> bool {
        match self {
            Self::Run(_) | Self::Image(_) | Self::Status | Self::Auth(account::Auth::Docker(_)) => true,
            Self::Job(job) => matches!(job, project::Job::Status { .. } | project::Job::Watch { .. } | project::Job::Logs { .. }),
            Self::Perf(perf) => perf.table.is_some(),
            _ => false,
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
        // A CI system gives an empty text for a secret that a run may not see.
        let given = |secret: &'_ Option<Secret>| secret.clone().filter(|secret| !secret.expose().is_empty());
        match (given(&self.token), given(&self.key)) {
            (Some(_), Some(_)) if typed("api-token") == typed("api-key") => Err(TwoCredentials),
            (Some(token), Some(_)) if typed("api-token") => Ok(Some(Credential::Token(token))),
            (_, Some(key)) => Ok(Some(Credential::Key(key))),
            (token, None) => Ok(token.map(Credential::Token)),
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
    /// Put branches, testbeds, benchmarks or measures away
    Archive(dimension::Archive),
    /// Take branches, testbeds, benchmarks or measures back into use
    Unarchive(dimension::Archive),
    /// Sign up and log in
    #[command(subcommand)]
    Auth(account::Auth),
    /// Users and their keys
    #[command(subcommand)]
    User(account::User),
    /// A user's API tokens; keys (`user key`) are the newer way
    #[command(subcommand)]
    Token(account::Token),
    /// Organizations
    #[command(subcommand, visible_alias = "org")]
    Organization(organization::Organization),
    /// Members of organizations
    #[command(subcommand)]
    Member(organization::Member),
    /// Projects and their keys
    #[command(subcommand)]
    Project(organization::Project),
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
    /// Bring the past along: histories that other tools have kept
    ///
    /// Reports are filed in the order of their commits' times. The same import again, with the same branch and testbed, adds nothing: one
    /// that was interrupted goes on. Ends with 1 where a file could not be read or a report was refused; the others count.
    #[command(subcommand)]
    Import(Box<import::Import>),
    /// Compare two reports
    Compare(compare::Compare),
    /// The history of results
    Perf(history::Perf),
    /// Plots: pinned views of the history
    #[command(subcommand)]
    Plot(Box<history::Plot>),
    /// Branches
    #[command(subcommand)]
    Branch(dimension::Branch),
    /// Testbeds
    #[command(subcommand)]
    Testbed(dimension::Testbed),
    /// Benchmarks
    #[command(subcommand)]
    Benchmark(dimension::Benchmark),
    /// Measures
    #[command(subcommand)]
    Measure(dimension::Measure),
    /// Metrics: single values
    #[command(subcommand)]
    Metric(project::Metric),
    /// Thresholds: what guards a measure
    #[command(subcommand)]
    Threshold(threshold::Threshold),
    /// Alerts: metrics outside of a threshold's limits
    #[command(subcommand)]
    Alert(threshold::Alert),
    /// Change points: where a series began to be another one
    #[command(subcommand)]
    ChangePoint(change_point::ChangePoint),
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

/// What can be put away and taken back.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Shelf {
    /// Put it away: it takes part in nothing new
    #[arg(long, conflicts_with = "unarchive")]
    pub archive: bool,
    /// Take it back into use
    #[arg(long)]
    pub unarchive: bool,
    /// The same as --archive (true) and --unarchive (false)
    #[arg(long, hide = true, value_name = "BOOL", conflicts_with_all = ["archive", "unarchive"])]
    pub archived: Option<bool>,
}

impl Shelf {
    /// The new state, where one was asked for.
    pub(crate) fn archived(self) -> Option<bool> {
        self.archived.or((self.archive || self.unarchive).then_some(self.archive))
    }
}

/// Agreement to what cannot be taken back.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Sure {
    /// Do not ask whether this is meant; nobody is asked where there is no terminal
    #[arg(short, long)]
    pub yes: bool,
}

/// Only what began within a time.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "List options")]
pub(crate) struct Span {
    /// Only what began then or later: RFC 3339, or seconds or milliseconds since 1970
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub start_time: Option<Moment>,
    /// Only what began then or earlier: RFC 3339, or seconds or milliseconds since 1970
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub end_time: Option<Moment>,
}

impl Span {
    pub(crate) fn query(&self) -> Query {
        let millis = |at: Option<Moment>| at.map(|Moment(at)| at.as_micros().div_euclid(1000).to_string());
        pairs([("start_time", millis(self.start_time)), ("end_time", millis(self.end_time))])
    }
}

/// A point in time as people and scripts write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub DateTime);

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        /// From here on a number counts milliseconds: as seconds it would be the year 5138.
        const MILLIS: u64 = 100_000_000_000;
        let wrong = || format!("`{text}` is not a time: expected one such as 2026-01-31T12:00:00Z, or seconds since 1970");
        let Ok(number) = text.parse::<i64>() else {
            return text.parse().map(Self).map_err(|_| wrong());
        };
        let micros = if number.unsigned_abs() < MILLIS { 1_000_000 } else { 1000 };
        DateTime::from_micros(number.saturating_mul(micros)).map(Self).map_err(|_| wrong())
    }
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

/// `archived=true` where what is archived is asked for.
pub(crate) fn with_archived(mut query: Query, archived: bool) -> Query {
    query.extend(pairs([("archived", archived.then(|| "true".to_owned()))]));
    query
}

/// The pairs that have a value.
pub(crate) fn pairs<const N: usize>(pairs: [(&'static str, Option<String>); N]) -> Query {
    pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests;
