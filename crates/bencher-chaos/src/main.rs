//! `chaos`: the real binaries of the product on this machine, killed at random while jobs run; then a look at what came of it.
//!
//! Which program is killed after what time, for how long it is gone, and what the jobs do is decided by one number. The machine's
//! own timing is not, so that the same number gives the same plan and not always the same end. Needs root, `crun` and a static
//! busybox, as jobs without a microVM do.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a developer tool talks to a person, not to a log")]

mod client;
mod clock;
mod image;
mod journal;
mod leftovers;
mod plan;
mod program;
mod run;
mod site;
mod stored;
mod verdict;
mod work;

use std::process::ExitCode;

use clap::Parser;

/// Where the server keeps its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// Kill the real server, runners and database at random while jobs run, and see that every job ends exactly once
#[derive(Clone, Debug, Parser)]
#[command(name = "chaos")]
pub(crate) struct Args {
    /// How many jobs are submitted
    #[arg(long, default_value_t = 200)]
    pub(crate) jobs: usize,
    /// Decides what is killed when, and what the jobs do; a random one where none is named
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    #[arg(long, value_enum, default_value_t = Database::Sqlite)]
    pub(crate) database: Database,
    /// How many runners
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) runners: u8,
    /// How many servers; more than one need PostgreSQL
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub(crate) servers: u8,
    /// Let the runners reach the servers over lines that delay and are cut, as the seed says
    #[arg(long)]
    pub(crate) proxy: bool,
    /// After so many minutes nothing more is killed, and what is left has to come to its end
    #[arg(long, default_value_t = 10)]
    pub(crate) minutes: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.servers > 1 && args.database == Database::Sqlite {
        eprintln!("error: {} servers need --database postgres: SQLite serves one", args.servers);
        return ExitCode::FAILURE;
    }
    rustls::crypto::ring::default_provider().install_default().ok();
    let seed = args.seed.unwrap_or_else(rand::random);
    let lines = if args.proxy { ", over bad lines" } else { "" };
    println!("seed {seed}: {} jobs, {} runners, {} servers, {:?}{lines}", args.jobs, args.runners, args.servers, args.database);
    let runtime = tokio::runtime::Runtime::new();
    let outcome = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run::run(&args, seed, std::env::var_os("PATH"))));
    match outcome {
        Ok(violations) if violations.is_empty() => {
            println!("seed {seed}: everything holds");
            ExitCode::SUCCESS
        }
        Ok(violations) => {
            for violation in &violations {
                eprintln!("violation: {violation}");
            }
            eprintln!("seed {seed}: {} violations; try again with --seed {seed}", violations.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#} (seed {seed})");
            ExitCode::FAILURE
        }
    }
}
