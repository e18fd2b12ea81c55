//! `cargo xtask test`: every test, with everything that a test can ask for.

use std::time::Instant;

use anyhow::Result;

use crate::{
    guest,
    nextest::{self, Accept},
    postgres::{Durability, PrivatePostgres},
    process, schemathesis,
    setup::{self, Need},
    simulate, workspace,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Arguments for `cargo nextest run`, such as a filter: `-- -E 'package(bencher-api)'`
    #[arg(last = true)]
    nextest: Vec<String>,
}

impl Args {
    /// No filter.
    pub(crate) fn everything() -> Self {
        Self { nextest: Vec::new() }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut laps = Laps::start();
    setup::ensure(Need::Test)?;
    laps.done("setup");
    let root = workspace::root();
    process::run(process::cargo().current_dir(&root).args(["build", "--workspace", "--all-targets"]))?;
    laps.done("build");
    guest::build()?;
    laps.done("guest");
    // A filter asks for some tests; those in the documentation cannot be named by it.
    if args.nextest.is_empty() {
        process::run(process::cargo().current_dir(&root).args(["test", "--quiet", "--doc", "--workspace"]))?;
        laps.done("documentation");
    }
    let postgres = PrivatePostgres::start(Durability::None)?;
    laps.done("PostgreSQL");
    let outcome = nextest::run(&root, &postgres, &args.nextest, Accept::No);
    let stopped = postgres.stop();
    laps.done("tests");
    outcome?;
    stopped?;
    if args.nextest.is_empty() {
        simulate::run(&simulate::Args::default())?;
        laps.done("simulation");
        schemathesis::call_everything(&schemathesis::Args::for_every_change())?;
        laps.done("schemathesis");
    }
    println!("every test passed: {laps}");
    Ok(())
}

/// How long each step took.
#[derive(Debug)]
pub(crate) struct Laps {
    last: Instant,
    laps: Vec<(&'static str, f64)>,
}

impl Laps {
    pub(crate) fn start() -> Self {
        Self { last: Instant::now(), laps: Vec::new() }
    }

    /// Ends the step that began with the one before.
    pub(crate) fn done(&mut self, step: &'static str) {
        self.laps.push((step, self.last.elapsed().as_secs_f64()));
        self.last = Instant::now();
    }
}

impl std::fmt::Display for Laps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (step, seconds)) in self.laps.iter().enumerate() {
            write!(f, "{}{step} {seconds:.1} s", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
